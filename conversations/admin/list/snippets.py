"""Passages of message content that match a search of the list, each with a link to its item."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.http import urlencode

from conversations.admin.content.search import RecordedSearch
from conversations.admin.list.parameters import LIST_FILTERS_PARAMETER
from conversations.models import Conversation


def add_snippets(conversations: Iterable[Conversation], *, search: RecordedSearch, site_name: str) -> None:
    """Set `snippet` and `snippet_url` on each conversation with a matching passage that the user may read."""
    conversations = list(conversations)
    snippets = search.snippets(conversations)
    filters = search.request.GET.urlencode()
    for conversation in conversations:
        if snippet := snippets.get(conversation.pk):
            annotated: Any = conversation
            annotated.snippet = snippet
            annotated.snippet_url = _item_url(conversation, snippet.item_id, site_name=site_name, filters=filters)


def _item_url(conversation: Conversation, item_id: str, *, site_name: str, filters: str) -> str:
    args = [quote(conversation.pk)]
    url = reverse("admin:conversations_conversation_change", args=args, current_app=site_name)
    return f"{url}?{urlencode({'item': item_id, LIST_FILTERS_PARAMETER: filters})}#item_{item_id}"
