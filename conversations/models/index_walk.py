"""Which conversations match, in their order, read from as little of the metadata index as may be.

Left to itself a database takes keys, values and age for independent of each other, and reads millions of rows where
they are not: a value that only old conversations have, two values that seldom meet. So each statement here reads
ranges of one index in the order of the page, and tells of each row by itself whether it matches. Where there are
several ranges to choose from, it reads the one whose next rows reach furthest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any as Anything
from typing import ClassVar, Literal

from django.db import connections

from conversations.models.index_hint import hint
from conversations.models.index_ranges import Range, Stretch, rows_of
from conversations.models.lookups import created
from conversations.models.metadata import MetadataPair
from conversations.models.row_conditions import ID, ROW, SQL, RowConditions, compiled, joined
from conversations.schema.query import All, Any, CreatedCondition, MetadataCondition, Query

MAX_VALUES, MAX_VALUES_OF_PREFIX = 16, 8  # of one condition, so that each is a range of its own


@dataclass(frozen=True, eq=False)
class Source:
    """Ranges that together hold all that match."""

    ranges: tuple[Range, ...]

    @property
    def is_ordered(self) -> bool:
        return all(each.is_ordered for each in self.ranges)


@dataclass(frozen=True)
class Outlook:
    """How far the next rows of a source reach."""

    source: Source
    rows: int
    first: str  # the id in the nearest row
    last: str | None  # that up to which no row is missing, or None where there are no more rows


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
        self.is_ascending = is_ascending
        self.using = using
        self._owner_id = owner_id
        self._conditions = RowConditions(query, using=using)
        self._scope = list(self._scope_of(query))
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
        furthest = max if self.is_ascending else min
        while (outlooks := self._look_ahead(after, window)) is not None:
            if whole := [each for each in outlooks if each.last is None]:
                return Step(min(whole, key=lambda each: each.rows).source, after, window=window)
            ordered = [(each.last or "", each) for each in outlooks if each.source.is_ordered]
            reach, best = furthest(ordered, key=lambda pair: pair[0])
            widest_reach, widest = max(ordered, key=lambda pair: _distance(pair[1].first, pair[0]))
            if best is widest or furthest(widest_reach, best.first) == widest_reach:
                return Step(best.source, after, reach, window)
            # Nothing matches before the first row of this source, and beyond it the other may reach further.
            after = best.first[:-1] if self.is_ascending else f"{best.first}~"
        return None

    def _look_ahead(self, after: str | None, window: int) -> list[Outlook] | None:
        """By each source, or None where one has no more rows, so that nothing matches."""
        nearest, stretch = min if self.is_ascending else max, Stretch(self.is_ascending, after)
        rows: dict[Source, list[tuple[Anything, ...]]] = {source: [] for source in self.sources}
        parts = [(source, each.ends(window, stretch)) for source in self.sources for each in source.ranges]
        for *ends, number in rows_of((sql for _, sql in parts), using=self.using):
            if ends[-1]:
                rows[parts[number][0]].append(tuple(ends if self.is_ascending else (ends[1], ends[0], ends[2])))
        if not all(rows.values()):
            return None
        return [
            Outlook(
                source,
                rows=sum(count for _, _, count in found),
                first=nearest(first for first, _, _ in found),
                last=nearest((last for _, last, count in found if count == window), default=None),
            )
            for source, found in rows.items()
        ]

    def _matching(self, step: Step, after: str | None, limit: int) -> list[str]:
        stretch = Stretch(self.is_ascending, after, step.end)
        statements = (each.matching(limit, stretch, step.window) for each in step.source.ranges)
        found = {conversation_id for conversation_id, _ in rows_of(statements, using=self.using)}
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
                of_owner = {} if self._owner_id is None else {"owner": self._owner_id}
                pairs = MetadataPair.objects.using(self.using).filter(key=key, **of_owner)
                suggestions = pairs.suggestions("value", prefix=prefix, limit=MAX_VALUES_OF_PREFIX)
                values = None if suggestions.has_more else suggestions.texts
            case _:
                return [Source((self._range("key", key),))]
        if values is not None and len(values) <= MAX_VALUES:
            return [Source(tuple(self._range("value", key, value=each) for each in values))]
        return [
            Source((self._range("key", key),)),
            Source((self._range("value", key, self._conditions.says(condition)),)),
        ]

    def _range(self, index: Literal["key", "value"], key: str, *which: SQL, value: str | None = None) -> Range:
        """Pairs of this key and value, or those of this key that `which` tells."""
        name = f"conversations_pair{'' if self._owner_id is None else '_owner'}_{index}"
        connection = connections[self.using]
        of_key = f"{connection.ops.quote_name('key')} = %s", (key,)
        of_value = [] if value is None else [("value = %s", (value,))]
        condition, parameters = joined(" AND ", [of_key, *of_value, *which, *self._scope])
        pairs = f"SELECT {ID}, value FROM {ROW}{hint(name, connection)} WHERE {condition}"  # noqa: S608
        return Range((pairs, parameters), self._conditions.of(key=key, value=value), is_ordered=not which)

    def _scope_of(self, query: Query) -> Iterator[SQL]:
        """That pairs are of the owner and of the time that the conditions share."""
        if self._owner_id is not None:
            owner = MetadataPair._meta.get_field("owner")
            value = owner.get_db_prep_value(self._owner_id, connections[self.using])
            yield f"{owner.column} = %s", (value,)
        for condition in _bounds(query):
            yield compiled(created(condition, id_name=ID), using=self.using)


def _bounds(query: Query) -> Iterator[CreatedCondition]:
    """The windows of time that the conditions share."""
    match query:
        case All(of):
            yield from chain.from_iterable(map(_bounds, of))
        case CreatedCondition():
            yield query


def _distance(one: str, other: str) -> int:
    """Between two ids in their order. They begin with the time, so that it tells how far apart rows lie."""
    first, second = (int.from_bytes(each.encode()[:24].ljust(24)) for each in (one, other))
    return abs(first - second)
