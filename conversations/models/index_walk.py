"""Which conversations match, in their order, read from as little of the metadata index as may be.

Left to itself a database takes keys, values and age for independent of each other, and reads millions of rows where
they are not: a value that only old conversations have, two values that seldom meet. So each statement here reads
ranges of one index in the order of the page, and tells of each row by itself whether it matches. Where there are
several ranges to choose from, it reads the one whose next rows reach furthest. Where few of these match, it goes on
with what several ranges have in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any as Anything
from typing import ClassVar

from django.db import connections

from conversations.models.index_ranges import Stretch, rows_of
from conversations.models.index_sources import IndexSources, Source
from conversations.models.row_conditions import ID, ROW, RowConditions
from conversations.schema.query import Query

LOOK_UP = 8  # rows that are read one after the other in the time that it takes to look one up


@dataclass(frozen=True)
class Outlook:
    """How far the next rows of a source reach."""

    source: Source
    rows: int
    density: float  # rows in a unit of time
    first: str  # the id in the nearest row
    last: str | None  # that up to which no row is missing, or None where there are no more rows


@dataclass(frozen=True)
class Step:
    """To read what matches among the next `window` rows of each range, or all if that is None, up to `end`."""

    source: Source
    after: str | None
    end: str | None = None
    window: int | None = None
    outlooks: tuple[Outlook, ...] = ()


class IndexWalk:
    """Through the conversations that match, of one owner or of all. Without sources no index tells where they are."""

    first_window: ClassVar[int] = 250  # rows to look ahead
    window_growth: ClassVar[int] = 4
    max_in_common: ClassVar[int] = 16_000  # rows that a database keeps in memory

    def __init__(self, query: Query, *, is_ascending: bool, owner_id: Anything, using: str) -> None:
        self.is_ascending = is_ascending
        self.using = using
        self._nearest, self._furthest = (min, max) if is_ascending else (max, min)
        self._conditions = RowConditions(query, using=using)
        self.sources = IndexSources(query, self._conditions, owner_id=owner_id, using=using).of(query)

    def ids(self, *, after: str | None, batch: int) -> Iterator[str]:
        """Those beyond `after` in their order, read `batch` at a time."""
        window = self.first_window
        while (step := self._next_step(after, window)) is not None:
            after, count = step.after, 0
            while len(found := self._matching(step, after, batch)) == batch:
                yield from found
                after, count = found[-1], count + batch
            yield from found
            if step.end is None:
                return
            after = step.end
            windows = self._windows(step, share=(count + len(found)) / window, batch=batch)
            if len(windows) < 2:
                window *= self.window_growth
                continue
            while len(found := self._in_common(windows, after, batch)) == batch:
                yield from found
                after = found[-1]
            yield from found
            ends = [each.last for each in self._look_ahead(after, windows) or () if each.last is not None]
            if not ends:
                return
            after = self._nearest(ends)

    def _next_step(self, after: str | None, window: int) -> Step | None:
        """By the source whose next rows reach furthest, or none where one has no more."""
        if len(self.sources) == 1:
            return Step(self.sources[0], after)
        while (outlooks := self._look_ahead(after, dict.fromkeys(self.sources, window))) is not None:
            if whole := [each for each in outlooks if each.last is None]:
                return Step(min(whole, key=lambda each: each.rows).source, after, window=window)
            ordered = [(each.last or "", each) for each in outlooks if each.source.is_ordered]
            reach, best = self._furthest(ordered, key=lambda pair: pair[0])
            widest_reach, widest = max(ordered, key=lambda pair: _distance(pair[1].first, pair[0]))
            if best is widest or self._furthest(widest_reach, best.first) == widest_reach:
                return Step(best.source, after, reach, window, tuple(outlooks))
            # Nothing matches before the first row of this source, and beyond it the other may reach further.
            after = best.first[:-1] if self.is_ascending else f"{best.first}~"
        return None

    def _look_ahead(self, after: str | None, windows: dict[Source, int]) -> list[Outlook] | None:
        """By each of these sources and as many rows of it, or None where one has no more, so that nothing matches."""
        if not all(source.ranges for source in windows):
            return None
        stretch = Stretch(self.is_ascending, after)
        statements = [source.ends(window, stretch) for source, window in windows.items()]
        outlooks = {}
        for least, greatest, rows, number in rows_of(statements, using=self.using):
            if rows == 0:
                return None
            source, window = list(windows.items())[number]
            first, last = (least, greatest) if self.is_ascending else (greatest, least)
            density = rows / (_distance(first, last) + 1)
            outlooks[number] = Outlook(source, rows, density, first, last if rows == window else None)
        return [outlooks[number] for number in sorted(outlooks)]

    def _matching(self, step: Step, after: str | None, limit: int) -> list[str]:
        stretch = Stretch(self.is_ascending, after, step.end)
        statements = (each.matching(limit, stretch, step.window) for each in step.source.ranges)
        found = {conversation_id for conversation_id, _ in rows_of(statements, using=self.using)}
        return sorted(found, reverse=not self.is_ascending)[:limit]

    def _windows(self, step: Step, *, share: float, batch: int) -> dict[Source, int]:
        """Which reach equally far, and far enough for a batch if as large a share of the step's source matches again.

        Only of sources that are read up to there faster than looked up in.
        """
        if not connections[self.using].features.supports_select_intersection:
            return {}
        density = next(each.density for each in step.outlooks if each.source is step.source)
        ratios = {each.source: each.density / density for each in step.outlooks if each.source.is_ordered}
        rows = min(self.max_in_common, round(1.25 * batch / share) if share else self.max_in_common)
        return {source: round(rows * max(1, ratio)) for source, ratio in ratios.items() if ratio <= LOOK_UP}

    def _in_common(self, windows: dict[Source, int], after: str | None, limit: int) -> list[str]:
        """What matches of the conversations that are in the next rows of each of these sources."""
        stretch = Stretch(self.is_ascending, after)
        parts = [source.ids(window, stretch) for source, window in windows.items()]
        common = " INTERSECT ".join(f"SELECT {ID} FROM ({sql}) AS part_{n}" for n, (sql, _) in enumerate(parts))  # noqa: S608
        conditions, values = self._conditions.of()
        sql = f"SELECT {ID} FROM ({common}) AS {ROW} WHERE {conditions} ORDER BY {ID} {stretch.order} LIMIT {limit}"  # noqa: S608
        with connections[self.using].cursor() as cursor:
            cursor.execute(sql, [*(each for _, parameters in parts for each in parameters), *values])
            return [conversation_id for (conversation_id,) in cursor.fetchall()]


def _distance(one: str, other: str) -> int:
    """Between two ids in their order. They begin with the time, so that it tells how far apart rows lie."""
    first, second = (int.from_bytes(each.encode()[:24].ljust(24)) for each in (one, other))
    return abs(first - second)
