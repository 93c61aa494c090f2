from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from conversations.admin.list.columns import format_time
from conversations.conf import app_settings
from conversations.models import Conversation
from conversations.models.deleted_conversation import restorable_until
from conversations.trash import move_to_trash


class TrashMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Deletes conversations so that they can be restored for a while."""

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().delete_view(request, object_id, {**restore_context(), **(extra_context or {})})

    def delete_model(self, request: HttpRequest, obj: Conversation) -> None:
        move_to_trash(obj, deleted_by=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for conversation in queryset:
                move_to_trash(conversation, deleted_by=request.user)


def restore_context() -> dict[str, Any]:
    """What pages that ask for confirmation say of restoring."""
    until = restorable_until(timezone.now()) if app_settings.restore_days else None
    return {"restorable_until": format_time(until)}
