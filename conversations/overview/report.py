"""Report of the overview's figures: the stored rollup and, counted on the fly, the rows that are newer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from django.db.models import Sum
from django.utils import timezone

from conversations.models import FigureKind, FigureName, Overview, OverviewFigure
from conversations.models.overview import MAX_VALUES, OverviewFigureQuerySet
from conversations.overview.rollup import count_conversations_after, count_items_after

MAX_NEW = 2_000  # rows of each table to count on the fly


class OverviewReport:
    """Figures about all conversations and items, read by a fixed number of bounded queries.

    `is_up_to_date` is False if more rows than MAX_NEW are newer than the rollup, so that figures are incomplete.
    """

    def __init__(self) -> None:
        self.overview = Overview.objects.current() or Overview(time_zone=timezone.get_default_timezone_name())
        self.zone = ZoneInfo(self.overview.time_zone)
        self.today = timezone.now().astimezone(self.zone).date()
        conversations = count_conversations_after(self.overview.last_conversation_id, zone=self.zone, limit=MAX_NEW + 1)
        items = count_items_after(self.overview.last_item, zone=self.zone, limit=MAX_NEW + 1)
        self.new_figures = conversations.figures + items.figures
        self.is_up_to_date = conversations.count <= MAX_NEW and items.count <= MAX_NEW

    def total(self, kind: str) -> int:
        """Return the sum of all figures of a kind."""
        stored = self._stored.filter(kind=kind).aggregate(total=Sum("count"))["total"] or 0
        return stored + sum(count for name, count in self.new_figures.items() if name.kind == kind)

    def by_day(self, kind: str, days: int) -> dict[date, int]:
        """Return the count of each of the last days, in order, up to and including today."""
        totals = Counter[str]()
        for name, count in self._daily_figures(kind, days).items():
            totals[name.key] += count
        return {day: totals[day.isoformat()] for day in self._last_days(days)}

    def item_types(self, days: int) -> list[tuple[str, int]]:
        """Return item types with their counts in the last days, the most frequent first."""
        totals = Counter[str]()
        for name, count in self._daily_figures(FigureKind.ITEMS, days).items():
            totals[name.value] += count
        return _most_frequent(totals)

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

    def _last_days(self, days: int) -> list[date]:
        return [self.today - timedelta(days=days - number) for number in range(1, days + 1)]

    def _daily_figures(self, kind: str, days: int) -> Mapping[FigureName, int]:
        first, *_, last = (day.isoformat() for day in self._last_days(days))
        stored = self._stored.filter(kind=kind, key__range=(first, last)).values_list("kind", "key", "value", "count")
        figures = Counter({FigureName(*name): count for *name, count in stored})
        figures.update(
            {name: count for name, count in self.new_figures.items() if name.kind == kind and first <= name.key <= last}
        )
        return figures


def _most_frequent(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Sort by descending count, and then by name."""
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
