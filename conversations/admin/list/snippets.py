"""Search of message content in the list: its permission, its record in the access log and the matching passages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from conversations.admin import permissions
from conversations.admin.list.parameters import LIST_FILTERS_PARAMETER
from conversations.errors import APIError
from conversations.models import AccessRecord, Conversation, Item, ItemText
from conversations.schema.query.nodes import Query, searches_text


def check_search(model_admin: Any, request: HttpRequest, query: Query) -> None:
    """Raise `APIError` if the query searches message content and the user may not read it.

    Check before running the query: even the number of matches reveals content.
    """
    if searches_text(query) and not model_admin.has_read_content_permission(request):
        raise APIError(permissions.missing_permission_message(), status=403)


def record_search(
    request: HttpRequest, query: Query, *, query_text: str, conversation_count: int | None = None
) -> None:
    """Add the search to the access log if it searches message content. Record it before any result is shown."""
    if searches_text(query):
        AccessRecord.objects.record(
            user=request.user,
            action=AccessRecord.Action.SEARCH,
            query=query_text,
            conversation_count=conversation_count,
        )


def add_snippets(
    model_admin: Any,
    request: HttpRequest,
    conversations: Iterable[Conversation],
    *,
    query: Query,
    query_text: str,
) -> None:
    """Give each matching conversation its `snippet` and `snippet_url`, after recording the search.

    Conversations whose content the user may not read get none, nor does a query that searches no message content.
    """
    if not searches_text(query):
        return
    readable = [row for row in conversations if model_admin.has_read_content_permission(request, row)]
    record_search(request, query, query_text=query_text, conversation_count=len(readable))
    conversation_ids = [conversation.pk for conversation in readable]
    snippets = ItemText.objects.snippets(query, items=Item.objects.all(), conversation_ids=conversation_ids)
    for conversation in readable:
        if snippet := snippets.get(conversation.pk):
            annotated: Any = conversation
            annotated.snippet = snippet
            annotated.snippet_url = _item_url(model_admin, request, conversation, snippet.item_id)


def _item_url(model_admin: Any, request: HttpRequest, conversation: Conversation, item_id: str) -> str:
    url = reverse(
        "admin:conversations_conversation_change",
        args=[quote(conversation.pk)],
        current_app=model_admin.admin_site.name,
    )
    parameters = {"item": item_id, LIST_FILTERS_PARAMETER: request.GET.urlencode()}
    return f"{url}?{urlencode(parameters)}#item_{item_id}"
