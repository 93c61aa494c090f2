"""Searching and exporting conversations, with an access record for each search of message content and each export."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import inf
from typing import Literal, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from conversations.admin import permissions
from conversations.admin.content.access import ContentAdmin, readable
from conversations.admin.content.previews import Preview, load_previews
from conversations.db.pages import Page
from conversations.errors import APIError
from conversations.models import AccessRecord, Conversation, ConversationQuerySet, Item, ItemText
from conversations.schema.query.nodes import EVERYTHING, Query, searches_text
from conversations.search.activity_order import OrderBy
from conversations.search.item_text import Snippet
from conversations.transfer.exporter import Export
from conversations.transfer.formats import Format

Result = TypeVar("Result")


def _unlimited(seconds: float) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass
class RecordedSearch:
    """The conversations that match a query, for one request of the admin.

    A query for words searches message content, and even the number of its matches reveals some of it. Creating such
    a search raises an `APIError` if the user may not read content, and no method returns a result before an access
    record of the search is stored: one for each search, however many of its methods are called. Other queries are
    not recorded. `text` is the filter as people read it, for the record. `limit` returns a context manager that limits
    the time of a query to so many seconds, or less, and raises `QueryTimeout`.
    """

    model_admin: ContentAdmin
    request: HttpRequest
    conversations: ConversationQuerySet
    query: Query = EVERYTHING
    text: str = ""
    limit: Callable[[float], AbstractContextManager[None]] = _unlimited
    is_recorded: bool = False  # True from the start if an earlier request recorded the same search

    def __post_init__(self) -> None:
        if self.searches_content and not self.model_admin.has_read_content_permission(self.request):
            raise APIError(permissions.missing_permission_message(), status=403)

    @property
    def searches_content(self) -> bool:
        return searches_text(self.query)

    def read(
        self, function: Callable[[], Result], *, count: Callable[[Result], int | None] = lambda result: None
    ) -> Result:
        """Call `function` and return its result, after storing one record of the search if it needs one.

        The other methods that `function` calls belong to the same record. `count` returns the number of matches for
        the record, given the result.
        """
        if self.is_recorded or not self.searches_content:
            return function()
        self.is_recorded = True  # for the methods that `function` calls
        try:
            result = function()
            AccessRecord.objects.record(
                user=self.request.user,
                action=AccessRecord.Action.SEARCH,
                query=self.text,
                conversation_count=count(result),
            )
        except BaseException:
            self.is_recorded = False
            raise
        return result

    def page(
        self,
        *,
        limit: int,
        order: Literal["asc", "desc"],
        order_by: OrderBy = "created_at",
        after: str | None = None,
        before: str | None = None,
    ) -> Page[Conversation]:
        """Return the `limit` matches that follow `after`, or directly precede `before`, in this order."""

        def read_page() -> Page[Conversation]:
            with self.limit(inf):
                return self.conversations.page(
                    limit=limit, order=order, order_by=order_by, after=after, before=before, matching=self.query
                )

        return self.read(read_page)

    def count(self, maximum: int, *, seconds: float = inf) -> int:
        """Return the number of matches, or `maximum` if there are more."""

        def read_count() -> int:
            with self.limit(seconds):
                return self.conversations.capped_count(maximum, matching=self.query)

        return self.read(read_count, count=lambda number: number)

    def count_readable(self, conversations: Iterable[Conversation]) -> int:
        return len(readable(self.model_admin, self.request, conversations))

    def all_matches(self) -> ConversationQuerySet:
        """Return a queryset of the matches, for code of Django that takes no other."""
        return self.read(self.action_queryset)

    def action_queryset(self) -> ConversationQuerySet:
        """Return the unevaluated queryset that Django passes to an action with the selected ids. It is not recorded."""
        return self.conversations.matching(self.query)

    def oldest_first(self, *, newest_id: str, after: str, batch: int) -> Iterator[Conversation]:
        """Yield the matches from the one after `after` up to `newest_id`, without a time limit.

        Conversations created later have greater ids than `newest_id`.
        """
        bounded = replace(self, conversations=self.conversations.filter(pk__lte=newest_id), limit=_unlimited)
        has_more = True
        while has_more:
            page = bounded.page(limit=batch, order="asc", after=after or None)
            yield from page.rows
            has_more = page.has_more
            after = page.rows[-1].pk if page.rows else after

    def snippets(self, conversations: Iterable[Conversation]) -> dict[str, Snippet]:
        """Return the passages that match, by conversation id, for the conversations that the user may read."""
        if not self.searches_content:
            return {}
        ids = [row.pk for row in readable(self.model_admin, self.request, conversations)]
        return self.read(
            lambda: ItemText.objects.snippets(self.query, items=Item.objects.all(), conversation_ids=ids),
            count=lambda snippets: len(ids),
        )

    def previews(self, conversations: Iterable[Conversation], *, has_last: bool) -> dict[str, Preview]:
        """Return previews, by id, of the conversations that the user may read.

        They belong to the record of a search for words. For another search, store one record of the reading.
        """
        rows = readable(self.model_admin, self.request, conversations)
        if self.searches_content:
            return self.read(lambda: load_previews(rows, has_last=has_last), count=len)
        if not rows:
            return {}
        AccessRecord.objects.record(
            user=self.request.user,
            action=AccessRecord.Action.READ,
            query=self.text,
            conversation_count=len(rows),
        )
        return load_previews(rows, has_last=has_last)

    def export(self, *, format: Format, conversation: Conversation | None = None) -> Generator[bytes]:
        """Record an export and return it as chunks. The record gets the number of conversations at the end.

        `conversation` is set if the export is of a single one. Raise `PermissionDenied` if the format has message
        content and the user may not export it. An export of a search for words has the record of the export only.
        """
        export = Export(self.conversations, query=self.query, format=format)
        if export.has_items and not self.model_admin.has_export_permission(self.request, conversation):
            raise PermissionDenied
        record = AccessRecord.objects.record(
            user=self.request.user,
            action=AccessRecord.Action.EXPORT,
            conversation_id=conversation.pk if conversation else "",
            query=self.text,
        )
        return _complete_at_end(export, record)


def _complete_at_end(export: Export, record: AccessRecord) -> Generator[bytes]:
    """Yield the export, then store the number of conversations sent, even if the browser closed the connection."""
    try:
        yield from export
    finally:
        record.complete(conversation_count=export.conversation_count)
