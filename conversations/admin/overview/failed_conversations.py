from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse

from conversations.admin.charts import format_count
from conversations.admin.content.item_ids import count_failed_items
from conversations.admin.content.search import RecordedSearch
from conversations.admin.list.cells import MAX_PAIRS, shorten_id
from conversations.admin.metadata.pairs import render_pairs
from conversations.models import Conversation
from conversations.schema.item_failures import FAILED
from conversations.schema.query.nodes import ItemCondition

LIMIT = 5


@dataclass(frozen=True)
class FailedConversation:
    """A conversation with failed items, without their content."""

    conversation: Conversation
    url: str
    title: str
    pairs: str  # HTML
    count: int  # of failed items

    @property
    def formatted_count(self) -> str:
        return format_count(self.count)


def recent_failures(model_admin: Any, request: HttpRequest) -> list[FailedConversation]:
    """Return the newest conversations with an item that reports a failure."""
    search = RecordedSearch(model_admin, request, model_admin.get_queryset(request), ItemCondition("status", FAILED))
    rows = search.page(limit=LIMIT, order="desc").rows
    counts = count_failed_items(rows)
    name = "admin:conversations_conversation_change"
    return [
        FailedConversation(
            row,
            url=reverse(name, args=[quote(row.pk)], current_app=model_admin.admin_site.name),
            title=shorten_id(row.pk),
            pairs=render_pairs(row.metadata, url_of=None, maximum=MAX_PAIRS),
            count=counts.get(row.pk, 0),
        )
        for row in rows
    ]
