"""What is new since a page was opened: the page asks every CONVERSATIONS_POLL_SECONDS. The answers have no content."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext

from conversations import ids
from conversations.admin.base import ModelAdminView
from conversations.admin.content.search import RecordedSearch
from conversations.admin.keyset import CappedCount
from conversations.conf import app_settings
from conversations.db.timeouts import QueryTimeout

MAX_COUNT = 100
MAX_SECONDS = 0.2  # for the count of new conversations
NEVER = datetime.min.replace(tzinfo=UTC)


class NewConversationsView(ModelAdminView):
    """The number of conversations that match the list's filter and are newer than those of an open list.

    `newest` is the id of the newest one, or, in the order of last activity, the time of the last one.
    """

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, newest: str) -> JsonResponse:
        if not self.model_admin.has_view_permission(request):
            raise PermissionDenied
        try:
            change_list: Any = self.model_admin.get_changelist_instance(request)
        except IncorrectLookupParameters:  # The list would drop its filters.
            return _answer(CappedCount(0, is_capped=False))
        if not is_live(change_list):
            return _answer(CappedCount(0, is_capped=False))
        count = _count_created if change_list.order_by == "created_at" else _count_active
        try:
            number = count(change_list.search, unquote(newest))
        except QueryTimeout:
            number = 0
        return _answer(CappedCount.cut(number, MAX_COUNT))


class NewItemsView(ModelAdminView):
    """The number of items of a conversation after a position."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, object_id: str, position: int) -> JsonResponse:
        conversation = self.get_row(object_id)
        if not self.model_admin.has_view_permission(request, conversation):
            raise PermissionDenied
        return _answer(CappedCount(max(conversation.last_position - position, 0), is_capped=False))


def is_live(change_list: Any) -> bool:
    """Whether the list can ask for new conversations: only the first page, newest or most recently active first.

    A search in messages is recorded in the access log each time, so that a list of one does not repeat it.
    """
    is_first = change_list.order == "desc" and not change_list.cursors
    return bool(is_first and change_list.form.is_valid() and not change_list.search.searches_content)


def new_conversations_url(change_list: Any) -> str:
    """Return the URL that an open list asks for what is new, or "" if it does not ask."""
    if not app_settings.poll_seconds or not is_live(change_list):
        return ""
    args = [quote(_newest(change_list))]
    site_name = change_list.model_admin.admin_site.name
    url = reverse("admin:conversations_conversation_new", args=args, current_app=site_name)
    return f"{url}?{change_list.request.GET.urlencode()}"


def _newest(change_list: Any) -> str:
    rows = change_list.result_list
    if change_list.order_by == "created_at":
        return rows[0].pk if rows else ids.CONVERSATION_PREFIX
    moment = rows[0].last_item_at if rows else None
    return (moment or NEVER).isoformat()


def _count_created(search: RecordedSearch, newest: str) -> int:
    if not newest.startswith(ids.CONVERSATION_PREFIX):
        return 0
    newer = search.conversations.filter(pk__gt=newest)
    return replace(search, conversations=newer).count(MAX_COUNT + 1, seconds=MAX_SECONDS)


def _count_active(search: RecordedSearch, newest: str) -> int:
    try:
        since = datetime.fromisoformat(newest)
    except ValueError:
        return 0
    if since.tzinfo is None:
        return 0
    rows = search.page(limit=MAX_COUNT + 1, order="desc", order_by="last_item_at").rows
    return sum(row.last_item_at is not None and row.last_item_at > since for row in rows)


def new_items_url(model_admin: Any, conversation: Any) -> str:
    """Return the URL that an open transcript asks for what is new, or "" if it does not ask."""
    if not app_settings.poll_seconds:
        return ""
    args = [quote(conversation.pk), conversation.last_position]
    return reverse("admin:conversations_conversation_new_items", args=args, current_app=model_admin.admin_site.name)


def _answer(count: CappedCount) -> JsonResponse:
    return JsonResponse({"count": count.number, "text": gettext("%(count)s new") % {"count": count}})
