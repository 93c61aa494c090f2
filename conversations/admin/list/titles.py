"""Titles of conversations, and the pages of Django's admin that name a conversation by its title instead of its id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import truncatechars
from django.utils.translation import gettext

from conversations.admin.charts import format_count
from conversations.admin.content.titles import read_first_messages
from conversations.models import Conversation, DeletedConversation

MAX_TITLE = 100  # characters of the first message
TAIL_LENGTH = 6  # characters at the end of an id, which are random and tell the ids of one day apart
ROW_TITLE = "row_title"  # attribute of a request that deletes a row

Row = TypeVar("Row", Conversation, DeletedConversation)


def shorten_id(conversation_id: str) -> str:
    prefix, middle, tail = split_id(conversation_id)
    return f"{prefix}…{tail}" if middle else conversation_id


def split_id(conversation_id: str) -> tuple[str, str, str]:
    """Return the prefix, the middle, which a short id leaves out, and the end."""
    prefix, separator, rest = conversation_id.partition("_")
    return f"{prefix}{separator}", rest[:-TAIL_LENGTH], rest[-TAIL_LENGTH:]


def build_title(row: Conversation | DeletedConversation, first_message: str = "") -> str:
    """Return the first message, if there is one that the user may read, or else the short id."""
    if first_message:
        return truncatechars(first_message, MAX_TITLE)
    if not row.item_count:
        return gettext("Empty conversation")
    return shorten_id(row.conversation_id if isinstance(row, DeletedConversation) else row.pk)


class RowTitles:
    """The part of a model admin that names its rows by their titles. A title is content: reading it is recorded."""

    def read_first_messages(self, request: HttpRequest, rows: Sequence[Any]) -> dict[Any, str]:
        """Return the first messages of the rows that the user may read, by primary key, and record the reading."""
        model_admin: Any = self
        return read_first_messages(model_admin, request, rows)

    def title_of(self, request: HttpRequest, row: Any) -> str:
        return self.with_titles(request, [row])[0][1]

    def with_titles(self, request: HttpRequest, rows: Iterable[Row]) -> list[tuple[Row, str]]:
        """Return the rows, each with its title."""
        rows = list(rows)
        messages = self.read_first_messages(request, rows)
        return [(row, build_title(row, messages.get(row.pk, ""))) for row in rows]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        model_admin: Any = self
        row, context = model_admin.get_object(request, unquote(object_id)), {}
        if row is not None and model_admin.has_view_or_change_permission(request, row):
            title = self.title_of(request, row)
            context = {"title": gettext("Change history: %s") % title, "row_title": title}
        parent: Any = super()
        response: HttpResponse = parent.history_view(request, object_id, {**context, **(extra_context or {})})
        return response

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        model_admin: Any = self
        row, context = model_admin.get_object(request, unquote(object_id)), {}
        if row is not None and model_admin.has_delete_permission(request, row):
            context = {"row_title": self.title_of(request, row), "item_count": format_count(row.item_count)}
            setattr(request, ROW_TITLE, context["row_title"])
        parent: Any = super()
        response: HttpResponse = parent.delete_view(request, object_id, {**context, **(extra_context or {})})
        return response

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        """Name the deleted row by its title, which was read before the deletion. Django's text has the id."""
        parent: Any = super()
        response: HttpResponse = parent.response_delete(request, getattr(request, ROW_TITLE, obj_display), obj_id)
        return response
