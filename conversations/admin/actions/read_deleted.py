from __future__ import annotations

from typing import ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from conversations.admin.base import ModelAdminView, page_url
from conversations.admin.content.deleted import read_deleted_page
from conversations.admin.list.titles import build_title
from conversations.admin.transcript.entries import group_items
from conversations.admin.transcript.item import TranscriptItem
from conversations.admin.transcript.page import Transcript
from conversations.admin.transcript.page_rendering import render_page
from conversations.admin.transcript.pairing import pair_page
from conversations.errors import APIError
from conversations.models import DeletedConversation, Item


class ReadDeletedView(ModelAdminView):
    """The items of a conversation in the trash, to read before it is restored. Nothing is changed."""

    http_method_names = ["get", "head"]
    template: ClassVar[str] = "admin/conversations/deletedconversation/read.html"
    row: DeletedConversation

    def dispatch(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        row = self.get_row(object_id)
        may_view = self.model_admin.has_view_permission(request, row)
        if not (may_view and self.model_admin.has_read_content_permission(request, row)):
            raise PermissionDenied
        self.row = row
        return super().dispatch(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        text = request.GET.get("after", "")
        after = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
        try:
            page = read_deleted_page(
                self.model_admin,
                request,
                self.row,
                after=after,
                limit=Transcript.items_per_page,
                max_bytes=Transcript.max_loaded_characters,
            )
        except APIError as error:
            message = gettext("“%(title)s” can't be read: %(reason)s") % {
                "title": build_title(self.row),
                "reason": error.message,
            }
            self.model_admin.message_user(request, message, messages.ERROR)
            return HttpResponseRedirect(page_url(self.model_admin, self.row.pk))
        rows = page.rows
        context = {
            "title": build_title(self.row, page.first_message),
            "original": self.row,
            "entries": list(group_items(_render(rows, is_complete=not (after or page.has_more)))),
            "has_earlier": bool(after),
            "last_position": rows[-1].position if page.has_more else None,
            "has_restore_permission": self.model_admin.has_restore_permission(request, self.row),
        }
        return self.render(self.template, context)


def _render(rows: list[Item], *, is_complete: bool) -> list[TranscriptItem]:
    """Return the items for the templates. Of a part of them, a call may have its output in another part."""
    items = [TranscriptItem(row) for row in rows]
    for item in pair_page(items):
        item.is_orphan = is_complete
    render_page(items)
    return items
