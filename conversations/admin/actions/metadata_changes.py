"""The changes of metadata that staff make: the action on selected conversations, and the values in the history."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.actions.record_details import render_details
from conversations.admin.actions.set_metadata import SetMetadataView
from conversations.admin.times import format_time
from conversations.models import AccessRecord, Conversation

MAX_CHANGES = 100


class MetadataChanges:
    """The part of the model admin of conversations that sets metadata and shows its history."""

    object_history_template: Any = "admin/conversations/conversation/object_history.html"

    @admin.action(permissions=["change"], description=_("Set metadata of selected conversations"))
    def set_metadata(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """Ask for a key and a value."""
        return SetMetadataView(model_admin=self).ask(request)

    def response_change(self, request: HttpRequest, obj: Conversation) -> HttpResponse:
        """Name the conversation by its title. Django's text has the id."""
        parent: Any = super()
        if IS_POPUP_VAR in request.POST:
            response: HttpResponse = parent.response_change(request, obj)
            return response
        model_admin: Any = self
        text = gettext("Saved the metadata of “%(title)s”.") % {"title": model_admin.title_of(request, obj)}
        model_admin.message_user(request, text, messages.SUCCESS)
        if "_continue" in request.POST:
            return HttpResponseRedirect(request.get_full_path())
        after: HttpResponse = model_admin.response_post_save_change(request, obj)
        return after

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show old and new values from the access log, which loses them when the conversation is deleted for good."""
        parent: Any = super()
        conversation = parent.get_object(request, unquote(object_id))
        records = AccessRecord.objects.filter(
            conversation_id=conversation.pk if conversation else None, action=AccessRecord.Action.METADATA
        ).order_by("-pk")[:MAX_CHANGES]
        changes = [(record, format_time(record.created_at), render_details(record)) for record in records]
        context = {"metadata_changes": changes, **(extra_context or {})}
        response: HttpResponse = parent.history_view(request, object_id, context)
        return response
