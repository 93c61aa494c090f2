"""Which conversations match, in their order, read from as little of the metadata index as may be.

Left to itself a database takes keys, values and age for independent of each other, and reads millions of rows where
they are not: a value that only old conversations have, two values that seldom meet. So each statement here reads
ranges of one index in the order of the page, and tells of each row by itself whether it matches. Where there are
several ranges to choose from, it reads the one whose next rows reach furthest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import and_
from typing import Any as Anything
from typing import ClassVar, Literal

from django.db.models import F, Q

from conversations.models.index_hint import hinted
from conversations.models.index_ranges import ID, Range, Stretch, rows_of
from conversations.models.lookups import created, says
from conversations.models.metadata import MetadataPair
from conversations.schema.query import All, Any, CreatedCondition, MetadataCondition, Query

MAX_VALUES, MAX_VALUES_OF_PREFIX = 16, 8  # of one condition, so that each is a range of its own


@dataclass(frozen=True)
class Source:
    """Ranges that together hold all that match."""

    ranges: tuple[Range, ...]

    @property
    def is_ordered(self) -> bool:
        return all(each.is_ordered for each in self.ranges)


@dataclass(frozen=True)
class Step:
    """To read what matches among the next `window` rows of each range, or all if that is None, up to `end`."""

    source: Source
    after: str | None
    end: str | None = None
    window: int | None = None


class IndexWalk:
    """Through the conversations that match, of one owner or of all. Without sources no index tells where they are."""

    first_window: ClassVar[int] = 250  # rows to look ahead
    window_growth: ClassVar[int] = 4

    def __init__(self, query: Query, *, is_ascending: bool, owner_id: Anything, using: str) -> None:
        self.query = query
        self.is_ascending = is_ascending
        self.using = using
        self._of_owner = {} if owner_id is None else {"owner": owner_id}
        self._bounds = _bounds(query)
        self.sources = self._sources(query)

    def ids(self, *, after: str | None, batch: int) -> Iterator[str]:
        """Those beyond `after` in their order, read `batch` at a time."""
        window = self.first_window
        while (step := self._next_step(after, window)) is not None:
            after = step.after
            while len(found := self._matching(step, after, batch)) == batch:
                yield from found
                after = found[-1]
            yield from found
            if step.end is None:
                return
            after, window = step.end, window * self.window_growth

    def _next_step(self, after: str | None, window: int) -> Step | None:
        """By the source whose next rows reach furthest, or none where one has no more."""
        if len(self.sources) == 1:
            return Step(self.sources[0], after)
        nearest, furthest = (min, max) if self.is_ascending else (max, min)
        ordered = [source for source in self.sources if source.is_ordered]
        while True:
            firsts, ends = self._look_ahead(Stretch(self.is_ascending, after), window)
            if not all(firsts[source] for source in ordered):
                return None
            for source in self.sources:
                if not ends[source]:
                    return Step(source, after, window=window)
            first = {source: nearest(firsts[source]) for source in ordered}
            last = {source: nearest(ends[source]) for source in ordered}
            source = furthest(ordered, key=lambda source: last[source])
            widest = max(ordered, key=lambda source: _distance(first[source], last[source]))
            if source is widest or furthest(last[widest], first[source]) == last[widest]:
                return Step(source, after, last[source], window)
            # Nothing matches before the first row of this source, and beyond it the other may reach further.
            after = first[source][:-1] if self.is_ascending else f"{first[source]}~"

    def _look_ahead(self, stretch: Stretch, window: int) -> tuple[dict[Source, list[str]], dict[Source, list[str]]]:
        """By source, the ids in the first rows of its ranges, and those in the last rows of their windows."""
        firsts: dict[Source, list[str]] = {source: [] for source in self.sources}
        ends: dict[Source, list[str]] = {source: [] for source in self.sources}
        rows = [
            (of[source], each.nth(number, stretch))
            for of, number in ((firsts, 1), (ends, window))
            for source in self.sources
            for each in source.ranges
        ]
        for conversation_id, number in rows_of((sql for _, sql in rows), using=self.using):
            rows[number][0].append(conversation_id)
        return firsts, ends

    def _matching(self, step: Step, after: str | None, limit: int) -> list[str]:
        stretch = Stretch(self.is_ascending, after, step.end)
        statements = (each.matching(limit, stretch, step.window) for each in step.source.ranges)
        found = {conversation_id for conversation_id, _ in rows_of(filter(None, statements), using=self.using)}
        return sorted(found, reverse=not self.is_ascending)[:limit]

    def _sources(self, query: Query) -> list[Source]:
        """Each of these holds all that match. The first is ordered, if there is any."""
        match query:
            case All(of):
                return [source for part in of for source in self._sources(part)]
            case Any(of):
                choices = [self._sources(part) for part in of]
                ranges = chain.from_iterable(choice[0].ranges for choice in choices if choice)
                return [Source(tuple(ranges))] if all(choices) else []
            case MetadataCondition():
                return self._sources_of_condition(query)
        return []

    def _sources_of_condition(self, condition: MetadataCondition) -> list[Source]:
        key = condition.key
        values: Sequence[str] | None = None
        match condition.operator, condition.values:
            case "eq" | "in", texts:
                values = texts
            case "prefix", (prefix,):
                pairs = MetadataPair.objects.using(self.using).filter(key=key, **self._of_owner)
                suggestions = pairs.suggestions("value", prefix=prefix, limit=MAX_VALUES_OF_PREFIX)
                values = None if suggestions.has_more else suggestions.texts
            case _:
                return [Source((self._range("key", Q(key=key), key=key),))]
        if values is not None and len(values) <= MAX_VALUES:
            return [Source(tuple(self._range("value", Q(key=key, value=each), key=key, value=each) for each in values))]
        some = Q(key=key) & says(condition, F("value"))
        return [
            Source((self._range("key", Q(key=key), key=key),)),
            Source((self._range("value", some, key=key, is_ordered=False),)),
        ]

    def _range(self, index: Literal["key", "value"], where: Q, **of: Anything) -> Range:
        name = f"conversations_pair{'_owner' if self._of_owner else ''}_{index}"
        pairs = hinted(MetadataPair.objects.using(self.using), name)
        return Range(pairs.filter(where, self._bounds, **self._of_owner), self.query, **of)


def _bounds(query: Query) -> Q:
    """The window of time that the conditions share."""
    match query:
        case All(of):
            return reduce(and_, map(_bounds, of), Q())
        case CreatedCondition():
            return created(query, id_name=ID)
    return Q()


def _distance(one: str, other: str) -> int:
    """Between two ids in their order. They begin with the time, so that it tells how far apart rows lie."""
    first, second = (int.from_bytes(each.encode()[:24].ljust(24)) for each in (one, other))
    return abs(first - second)
