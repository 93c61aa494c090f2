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
        while True:
            source, end = self._furthest(after, window)
            while len(found := self._matching(source, after, end, batch)) == batch:
                yield from found
                after = found[-1]
            yield from found
            if end is None:
                return
            after, window = end, window * self.window_growth

    def _furthest(self, after: str | None, window: int) -> tuple[Source, str | None]:
        """The source whose next `window` rows reach furthest, and to where: None is the end of all."""
        if len(self.sources) == 1:
            return self.sources[0], None
        stretch = Stretch(self.is_ascending, after)
        ranges = [(source, each) for source in self.sources for each in source.ranges]
        ends: dict[Source, list[str]] = {source: [] for source in self.sources}
        for end, number in rows_of((each.last_of(window, stretch) for _, each in ranges), using=self.using):
            ends[ranges[number][0]].append(end)
        exhausted = [source for source in self.sources if not ends[source]]
        if exhausted:
            return exhausted[0], None
        nearest, furthest = (min, max) if self.is_ascending else (max, min)
        reached = {source: nearest(ends[source]) for source in self.sources if source.is_ordered}
        source = furthest(reached, key=lambda source: reached[source])
        return source, reached[source]

    def _matching(self, source: Source, after: str | None, end: str | None, limit: int) -> list[str]:
        stretch = Stretch(self.is_ascending, after, end)
        statements = filter(None, (each.matching(limit, stretch) for each in source.ranges))
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
