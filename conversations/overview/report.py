"""Report of the overview's figures: the stored rollup and, counted on the fly, the rows that are newer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from django.db.models import Sum
from django.utils import timezone

from conversations.models import FigureKind, Overview, OverviewFigure
from conversations.models.overview import MAX_VALUES, OverviewFigureQuerySet
from conversations.overview.period import Period
from conversations.overview.rollup import count_conversations_after, count_items_after

# Rows that are newer than the rollup, to count on the fly. The database groups the items.
MAX_NEW_CONVERSATIONS = 2_000
MAX_NEW_ITEMS = 10_000


@dataclass(frozen=True)
class ToolFigures:
    name: str
    calls: int
    failed: int


class DailyReport(ABC):
    """Figures of days: conversations, items by type, failures, and calls by tool."""

    zone: tzinfo
    today: date

    @abstractmethod
    def daily(self, kind: str, period: Period, by: Literal["key", "value"]) -> Counter[str]:
        """Return the sums of the figures of a kind in the period, by day or by the value of the figure."""

    def by_day(self, kind: str, period: Period) -> dict[date, int]:
        """Return the count of each day, in order."""
        totals = self.daily(kind, period, "key")
        return {day: totals[day.isoformat()] for day in period.days}

    def item_types(self, period: Period) -> list[tuple[str, int]]:
        """Return item types with their counts, the most frequent first."""
        return _most_frequent(+self.daily(FigureKind.ITEMS, period, "value"))

    def tools(self, period: Period, limit: int) -> list[ToolFigures]:
        """Return the tools that are called most."""
        calls = +self.daily(FigureKind.TOOL, period, "value")
        failed = self.daily(FigureKind.FAILED_TOOL, period, "value")
        return [ToolFigures(name, count, failed[name]) for name, count in _most_frequent(calls)[:limit]]


class OverviewReport(DailyReport):
    """Figures about all conversations and items, read by a fixed number of bounded queries.

    `is_up_to_date` is False if more rows than the maximum are newer than the rollup, so that figures are incomplete.
    """

    def __init__(self) -> None:
        self.overview = Overview.objects.current() or Overview(time_zone=timezone.get_default_timezone_name())
        self.zone = ZoneInfo(self.overview.time_zone)
        self.today = timezone.now().astimezone(self.zone).date()
        conversations = count_conversations_after(
            self.overview.last_conversation_id, zone=self.zone, limit=MAX_NEW_CONVERSATIONS + 1
        )
        items = count_items_after(self.overview.last_item, zone=self.zone, limit=MAX_NEW_ITEMS + 1)
        self.new_figures = conversations.figures + items.figures
        self.is_up_to_date = conversations.count <= MAX_NEW_CONVERSATIONS and items.count <= MAX_NEW_ITEMS

    def total(self, kind: str) -> int:
        """Return the sum of all figures of a kind."""
        stored = self._stored.filter(kind=kind).aggregate(total=Sum("count"))["total"] or 0
        return stored + sum(count for name, count in self.new_figures.items() if name.kind == kind)

    def top(self, kind: str, limit: int) -> list[tuple[str, int]]:
        """Return the keys of a kind with the greatest counts, the most frequent first."""
        top_stored = dict(self._stored.filter(kind=kind).order_by("-count").values_list("key", "count")[:limit])
        new = {name.key: count for name, count in self.new_figures.items() if name.kind == kind}
        increased = {key: count + new[key] for key, count in self._stored_counts(kind, new).items()}
        return _most_frequent(new | top_stored | increased)[:limit]

    def values_of(self, keys: Iterable[str], limit: int) -> dict[str, list[tuple[str, int]]]:
        """Return the most frequent values of each metadata key. Leave out keys with more than MAX_VALUES values."""
        keys = set(keys)
        totals: dict[str, Counter[str]] = defaultdict(Counter)
        stored = self._stored.filter(kind=FigureKind.VALUE, key__in=keys).values_list("key", "value", "count")
        new = [
            (name.key, name.value, count)
            for name, count in self.new_figures.items()
            if name.kind == FigureKind.VALUE and name.key in keys
        ]
        for key, value, count in [*stored, *new]:
            totals[key][value] += count
        return {key: _most_frequent(values)[:limit] for key, values in totals.items() if len(values) <= MAX_VALUES}

    @cached_property
    def owner_count(self) -> int:
        """How many users own a conversation."""
        owners = {name.key for name in self.new_figures if name.kind == FigureKind.OWNER}
        return self.overview.owner_count + len(owners) - len(self._stored_counts(FigureKind.OWNER, owners))

    def sizes(self) -> list[tuple[str, str, int]]:
        """Return table, "table" or "indexes", and bytes at the last refresh, the largest first."""
        return list(
            self._stored.filter(kind=FigureKind.SIZE)
            .order_by("-count", "key", "value")
            .values_list("key", "value", "count")
        )

    @cached_property
    def _stored(self) -> OverviewFigureQuerySet:
        return OverviewFigure.objects.filter(overview=self.overview.pk)

    def _stored_counts(self, kind: str, keys: Iterable[str]) -> dict[str, int]:
        return dict(self._stored.filter(kind=kind, key__in=list(keys)).values_list("key", "count"))

    def daily(self, kind: str, period: Period, by: Literal["key", "value"]) -> Counter[str]:
        first, last = period.first.isoformat(), period.last.isoformat()
        stored = self._stored.filter(kind=kind, key__range=(first, last)).order_by().values(by)
        totals = Counter(dict(stored.annotate(total=Sum("count")).values_list(by, "total")))
        for name, count in self.new_figures.items():
            if name.kind == kind and first <= name.key <= last:
                totals[getattr(name, by)] += count
        return totals


def _most_frequent(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Sort by descending count, and then by name."""
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
