"""Figures of the conversations that match a search, counted while somebody waits, hence within limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, tzinfo
from time import monotonic
from typing import Literal

from django.utils import timezone

from conversations.db.timeouts import QueryTimeout, time_limit
from conversations.models import ConversationQuerySet, FigureKind, FigureName, Item
from conversations.overview.item_counts import count_items
from conversations.overview.period import Period
from conversations.overview.report import DailyReport
from conversations.overview.rollup import day_start_seconds
from conversations.schema.query.nodes import ActiveCondition, And, CreatedCondition, Query

MAX_TOTAL = 10_000  # conversations of all time
MAX_PER_RANGE = 100_000  # conversations of a day, or of the previous period
MAX_CONVERSATIONS = 5_000  # whose items are counted
BATCH = 1_000  # conversations


class FilteredReport(DailyReport):
    """Figures of the matching conversations in a period and the one before, and when they began and were last active.

    Conversations are counted by an index range for each day if the search has an index. Items are read, of at most
    MAX_CONVERSATIONS that had items in the two periods. `has_conversations` and `has_items` are False if they were too
    many, or if counting took longer than `seconds`. What could not be read of all time, in a quarter of that, is None.
    """

    total_count: int | None = None  # up to MAX_TOTAL + 1
    first_created_at: datetime | None = None
    last_active_at: datetime | None = None

    def __init__(
        self, conversations: ConversationQuerySet, query: Query, *, period: Period, zone: tzinfo, seconds: float
    ) -> None:
        self.zone = zone
        self.today = timezone.now().astimezone(zone).date()
        self._conversations, self._query = conversations, query
        self._figures = Counter[FigureName]()
        self._end = monotonic() + seconds
        self.conversation_count = 0
        self.has_conversations = self._in_time(lambda: self._count_conversations(period))
        self.has_items = self.has_conversations and self._in_time(lambda: self._count_items(period))
        self._end = max(self._end, monotonic() + seconds / 4)
        self._in_time(self._read_extent)

    def daily(self, kind: str, period: Period, by: Literal["key", "value"]) -> Counter[str]:
        first, last = period.first.isoformat(), period.last.isoformat()
        totals = Counter[str]()
        for name, count in self._figures.items():
            if name.kind == kind and first <= name.key <= last:
                totals[getattr(name, by)] += count
        return totals

    def _in_time(self, count: Callable[[], bool]) -> bool:
        try:
            with time_limit(max(0, self._end - monotonic()), using=self._conversations.db):
                return count()
        except QueryTimeout:
            return False

    def _read_extent(self) -> bool:
        """Read the figures of all time, the last of which may take long."""
        self.total_count = self._conversations.capped_count(MAX_TOTAL + 1, matching=self._query)
        for row in self._conversations.page(limit=1, order="asc", matching=self._query).rows:
            self.first_created_at = row.created_at
        newest = self._conversations.page(limit=1, matching=self._query).rows
        most_active = self._conversations.page(limit=1, order_by="last_item_at", matching=self._query).rows
        times = [*(row.created_at for row in newest), *(row.last_item_at for row in most_active)]
        self.last_active_at = max((moment for moment in times if moment), default=None)
        return True

    def _count_conversations(self, period: Period) -> bool:
        for key, first, last in self._ranges(period):
            start, end = (day_start_seconds(day, self.zone) for day in (first, last + timedelta(days=1)))
            created = (CreatedCondition("gte", start), CreatedCondition("lt", end))
            parts = self._query.parts if isinstance(self._query, And) else (self._query,)
            count = self._conversations.capped_count(MAX_PER_RANGE, matching=And((*parts, *created)))
            self._figures[FigureName(FigureKind.CONVERSATIONS, key.isoformat())] = count
            self.conversation_count += count
        return True

    def _ranges(self, period: Period) -> Iterator[tuple[date, date, date]]:
        """Yield each day of the period, and of the previous one only the two parts that a comparison needs.

        A figure of several days counts for the first day of the first part, or the last day of the second.
        """
        previous = period.previous
        complete = sum(day < self.today for day in period.days)
        if complete:
            yield previous.first, previous.first, previous.days[complete - 1]
        if complete < period.length:
            yield previous.last, previous.days[complete], previous.last
        for day in period.days:
            yield day, day, day

    def _count_items(self, period: Period) -> bool:
        first = day_start_seconds(period.previous.first, self.zone)
        query = And((self._query, ActiveCondition("gte", first)))
        start, end = Period(period.previous.first, period.last).bounds(self.zone)
        figures, count, after = Counter[FigureName](), 0, None
        has_more = True
        while has_more:
            page = self._conversations.page(limit=BATCH, after=after, matching=query)
            count += len(page.rows)
            has_more = page.has_more
            if count > MAX_CONVERSATIONS or (has_more and count == MAX_CONVERSATIONS):
                return False
            after = page.rows[-1].pk if page.rows else None
            items = Item.objects.using(self._conversations.db).filter(
                conversation__in=[row.pk for row in page.rows], created_at__gte=start, created_at__lt=end
            )
            figures += count_items(items, zone=self.zone).figures
        self._figures += figures
        return True
