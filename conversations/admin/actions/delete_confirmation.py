"""Contents of the pages that ask for confirmation before conversations are deleted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db import router
from django.db.models import Model, ProtectedError, RestrictedError
from django.db.models.deletion import Collector
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.keyset import CappedCount
from conversations.admin.list.titles import shorten_id
from conversations.admin.times import format_time
from conversations.conf import app_settings
from conversations.models import Conversation, Item
from conversations.models.deleted_conversation import restorable_until

# Names of the conversations, numbers of rows by model, missing permissions, and rows that prevent the deletion.
DeletionSummary = tuple[list[str], dict[str, int], set[str], list[str]]


class TypedForm(forms.Form):
    """The number of conversations to delete, or a word if they were not counted, and what was typed to confirm it."""

    expected = forms.CharField(widget=forms.HiddenInput)
    typed = forms.CharField(required=False)

    @staticmethod
    def expect(count: CappedCount | None) -> str:
        return str(count.number) if count and not count.is_capped else gettext("delete")

    def clean(self) -> dict[str, Any]:
        expected = self.cleaned_data.get("expected")
        if self.cleaned_data.get("typed") != expected:
            is_word = expected == gettext("delete")
            number_error = _("The number doesn't match. Nothing was deleted.")
            self.add_error("typed", _("The word doesn't match. Nothing was deleted.") if is_word else number_error)
        return self.cleaned_data


def restore_context() -> dict[str, Any]:
    """Return the template context for how long the conversations can be restored, "" if they can't."""
    until = restorable_until(timezone.now()) if app_settings.restore_days else None
    return {"restorable_until": format_time(until)}


def summarize_deletion(
    conversations: Iterable[Conversation],
    *,
    request: HttpRequest,
    model_admin: admin.ModelAdmin[Any],
) -> DeletionSummary:
    """Return the result of `ModelAdmin.get_deleted_objects()` without reading the items: there may be millions."""
    conversations = list(conversations)
    site = model_admin.admin_site
    counts = {
        str(Conversation._meta.verbose_name_plural): len(conversations),
        str(Item._meta.verbose_name_plural): sum(conversation.item_count for conversation in conversations),
    }
    perms_needed = {
        str(Conversation._meta.verbose_name)
        for conversation in conversations
        if not model_admin.has_delete_permission(request, conversation)
    }
    collector = Collector(using=router.db_for_write(Conversation))
    try:
        collector.collect(conversations)
    except ProtectedError as error:
        return [], counts, perms_needed, _labels(error.protected_objects)
    except RestrictedError as error:
        return [], counts, perms_needed, _labels(error.restricted_objects)
    for model in {*collector.data, *(rows.model for rows in collector.fast_deletes)} - {Conversation}:
        # Models of your project that cascade from a conversation. Items and metadata have no admin.
        if site.is_registered(model) and not site.get_model_admin(model).has_delete_permission(request):
            perms_needed.add(str(model._meta.verbose_name))
    return [shorten_id(conversation.pk) for conversation in conversations], counts, perms_needed, []


def _labels(rows: Iterable[Model]) -> list[str]:
    return [f"{capfirst(str(row._meta.verbose_name))}: {row}" for row in rows]
