from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse

from conversations.admin.charts import format_count
from conversations.admin.content.item_ids import count_failed_items
from conversations.admin.content.search import RecordedSearch
from conversations.admin.list.cells import MAX_PAIRS, title_of
from conversations.admin.list.query_budget import QueryBudget
from conversations.admin.metadata.pairs import render_pairs
from conversations.db.timeouts import QueryTimeout
from conversations.models import Conversation
from conversations.schema.item_failures import FAILED
from conversations.schema.query.nodes import ItemCondition

QUERY = ItemCondition("status", FAILED)
QUERY_TEXT = "@status:failed"  # for the access log
LIMIT = 5
MAX_SECONDS = 0.1  # for finding them in the order of activity


@dataclass(frozen=True)
class FailedConversation:
    """A conversation with failed items. The title is a message only for staff who may read content."""

    conversation: Conversation
    url: str
    title: str
    pairs: str  # HTML
    count: int  # of failed items

    @property
    def formatted_count(self) -> str:
        return format_count(self.count)


def recent_failures(model_admin: Any, request: HttpRequest) -> list[FailedConversation]:
    """Return the conversations with an item that reports a failure that were active last.

    An old conversation may fail now. If many conversations have failures, but none of the recently active ones, no
    index finds them in this order, and the newest conversations with failures are returned instead.
    """
    conversations = model_admin.get_queryset(request)
    search = RecordedSearch(model_admin, request, conversations, QUERY, text=QUERY_TEXT)
    budget = QueryBudget(QUERY, seconds=MAX_SECONDS, using=conversations.db, order_by="last_item_at")
    try:
        rows = replace(search, limit=budget.limit).page(limit=LIMIT, order="desc", order_by="last_item_at").rows
    except QueryTimeout:
        rows = search.page(limit=LIMIT, order="desc").rows
    previews = search.previews(rows, has_last=False)
    row: Any
    for row in rows:
        row.preview = previews.get(row.pk)
    counts = count_failed_items(rows)
    name = "admin:conversations_conversation_change"
    return [
        FailedConversation(
            row,
            url=reverse(name, args=[quote(row.pk)], current_app=model_admin.admin_site.name),
            title=title_of(row),
            pairs=render_pairs(row.metadata, url_of=None, maximum=MAX_PAIRS),
            count=counts.get(row.pk, 0),
        )
        for row in rows
    ]
