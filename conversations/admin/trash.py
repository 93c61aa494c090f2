from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from conversations.admin.columns import shown_time
from conversations.conf import app_settings
from conversations.models import Conversation
from conversations.models.trash import restorable_until
from conversations.trashing import move_to_trash


class TrashMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Deletes conversations so that they can be restored for a while."""

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().delete_view(request, object_id, {**restoring(), **(extra_context or {})})

    def delete_model(self, request: HttpRequest, obj: Conversation) -> None:
        move_to_trash(obj, deleted_by=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for conversation in queryset:
                move_to_trash(conversation, deleted_by=request.user)


def restoring() -> dict[str, Any]:
    """What pages that ask for confirmation say of restoring."""
    until = restorable_until(timezone.now()) if app_settings.restore_days else None
    return {"restorable_until": shown_time(until)}
