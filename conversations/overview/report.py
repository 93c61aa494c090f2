"""What the overview shows: the counted figures, and what is newer, counted as it is asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from django.db.models import Sum
from django.utils import timezone

from conversations.models import FigureName, Overview, OverviewFigure
from conversations.models.overview import MAX_VALUES, OverviewFigureQuerySet
from conversations.overview.rollup import count_conversations_after, count_items_after

MAX_NEW = 2_000  # rows of either table that are counted for a page

FigureKind = OverviewFigure.Kind


class OverviewReport:
    """A fixed number of queries, each of bounded length, however many conversations there are."""

    def __init__(self) -> None:
        self.overview = Overview.objects.current() or Overview(time_zone=timezone.get_default_timezone_name())
        self.zone = ZoneInfo(self.overview.time_zone)
        self.today = timezone.now().astimezone(self.zone).date()
        conversations = count_conversations_after(self.overview.last_conversation_id, zone=self.zone, limit=MAX_NEW + 1)
        items = count_items_after(self.overview.last_item, zone=self.zone, limit=MAX_NEW + 1)
        self.new = conversations.figures + items.figures
        self.is_up_to_date = conversations.count <= MAX_NEW and items.count <= MAX_NEW

    def total(self, kind: str) -> int:
        counted = self._stored.filter(kind=kind).aggregate(total=Sum("count"))["total"] or 0
        return counted + sum(count for name, count in self.new.items() if name.kind == kind)

    def by_day(self, kind: str, days: int) -> dict[date, int]:
        """Of as many days, of which today is the last."""
        figures = self._of_days(kind, days)
        totals = Counter[str]()
        for name, count in figures.items():
            totals[name.key] += count
        return {day: totals[day.isoformat()] for day in self._days(days)}

    def item_types(self, days: int) -> list[tuple[str, int]]:
        totals = Counter[str]()
        for name, count in self._of_days(FigureKind.ITEMS, days).items():
            totals[name.value] += count
        return sorted(totals.items(), key=lambda each: (-each[1], each[0]))

    def top(self, kind: str, limit: int) -> list[tuple[str, int]]:
        """Return the `limit` keys of this kind with the highest counts, and their counts, in descending order."""
        stored = self._stored.filter(kind=kind).order_by("-count").values_list("key", "count")[:limit]
        new = {name.key: count for name, count in self.new.items() if name.kind == kind}
        figures = dict(stored) | {key: count + new[key] for key, count in self._stored_of(kind, new).items()}
        totals = {**new, **{key: figures[key] for key in figures}}
        return sorted(totals.items(), key=lambda each: (-each[1], each[0]))[:limit]

    def values_of(self, keys: Iterable[str], limit: int) -> dict[str, list[tuple[str, int]]]:
        """By key, its values that most have; of a key with too many values, none."""
        keys = set(keys)
        totals: dict[str, Counter[str]] = defaultdict(Counter)
        stored = self._stored.filter(kind=FigureKind.VALUE, key__in=keys).values_list("key", "value", "count")
        new = ((name.key, name.value, count) for name, count in self.new.items() if name.kind == FigureKind.VALUE)
        for key, value, count in [*stored, *(each for each in new if each[0] in keys)]:
            totals[key][value] += count
        return {
            key: sorted(values.items(), key=lambda each: (-each[1], each[0]))[:limit]
            for key, values in totals.items()
            if len(values) <= MAX_VALUES
        }

    @cached_property
    def owner_count(self) -> int:
        owners = {name.key for name in self.new if name.kind == FigureKind.OWNER}
        return self.overview.owner_count + len(owners) - len(self._stored_of(FigureKind.OWNER, owners))

    def sizes(self) -> list[tuple[str, str, int]]:
        """Table, part and bytes, as of the last count."""
        return list(
            self._stored.filter(kind=FigureKind.SIZE)
            .order_by("-count", "key", "value")
            .values_list("key", "value", "count")
        )

    @cached_property
    def _stored(self) -> OverviewFigureQuerySet:
        return OverviewFigure.objects.filter(overview=self.overview.pk)

    def _stored_of(self, kind: str, keys: Iterable[str]) -> dict[str, int]:
        return dict(self._stored.filter(kind=kind, key__in=list(keys)).values_list("key", "count"))

    def _days(self, days: int) -> list[date]:
        return [self.today - timedelta(days=days - number) for number in range(1, days + 1)]

    def _of_days(self, kind: str, days: int) -> Mapping[FigureName, int]:
        first, *_, last = (day.isoformat() for day in self._days(days))
        stored = self._stored.filter(kind=kind, key__range=(first, last)).values_list("kind", "key", "value", "count")
        figures = Counter({FigureName(*name): count for *name, count in stored})
        figures.update(
            {name: count for name, count in self.new.items() if name.kind == kind and first <= name.key <= last}
        )
        return figures
