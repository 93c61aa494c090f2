"""Which conversations match, in their order, read from as little of the metadata index as may be.

Left to itself a database takes keys, values and age for independent of each other, and reads millions of rows where
they are not: a value that only old conversations have, two values that seldom meet. So each statement here reads
ranges of one index in the order of the page, and tells of each row by itself whether it matches. Where there are
several ranges to choose from, it reads the one whose next rows reach furthest, or where few of these are likely to
match what several ranges have in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, prod
from operator import itemgetter
from typing import Any, ClassVar

from conversations import ids
from conversations.db.prepared_cursor import SQL, fetch_union
from conversations.schema.query.nodes import Query
from conversations.search.index_ranges import KeysetWindow
from conversations.search.index_scans import IndexScan, IndexScans
from conversations.search.row_predicates import ID, ROW, RowConditions, join_sql

PROBE_COST = 8  # rows that are read one after the other in the time that it takes to look one up
SURPLUS = 1.7  # of what should hold a batch on the average, so that chance seldom leaves it short


@dataclass(frozen=True)
class Probe:
    """How far the next rows of a source reach."""

    scan: IndexScan
    rows: int
    density: float  # rows in a unit of time
    first: str  # the id in the nearest row
    last: str | None  # that up to which no row is missing, or None where there are no more rows


@dataclass(frozen=True)
class PlanStep:
    """To read what matches in the next rows of a source, up to `end`, or what the next rows of several have in common.

    As many as `windows` says, or all if that is None.
    """

    windows: dict[IndexScan, int | None]
    after: str | None
    end: str | None = None


class MetadataScan:
    """Through the conversations that match, of one owner or of all. Without sources no index tells where they are."""

    first_window: ClassVar[int] = 250  # rows to look ahead
    window_growth: ClassVar[int] = 4
    max_in_common: ClassVar[int] = 6_000  # rows that a database keeps in memory

    def __init__(self, query: Query, *, is_ascending: bool, owner_id: Any, using: str) -> None:
        self.is_ascending = is_ascending
        self.using = using
        self._nearest, self._furthest = (min, max) if is_ascending else (max, min)
        self._conditions = RowConditions(query, using=using)
        self._index = IndexScans(query, self._conditions, owner_id=owner_id, using=using)
        self.index_scans = self._index.candidates(query)

    def ids(self, *, after: str | None, batch: int) -> Iterator[str]:
        """Those beyond `after` in their order, read `batch` at a time."""
        window = self.first_window
        while (step := self._next_step(after, window, batch)) is not None:
            matching = self._matching if len(step.windows) == 1 else self._in_common
            after = step.after
            while len(found := matching(step, after, batch)) == batch:
                yield from found
                after = found[-1]
            yield from found
            window *= self.window_growth
            if len(step.windows) == 1:
                after = step.end
            else:
                after, window = self._end_in_common(step, after), min(window, self.max_in_common)
            if after is None:
                return

    def _next_step(self, after: str | None, window: int, batch: int) -> PlanStep | None:
        """By the source whose next rows reach furthest, or none where one has no more."""
        if len(self.index_scans) == 1:
            return PlanStep({self.index_scans[0]: None}, after)
        windows: dict[IndexScan, int | None] = dict.fromkeys((*self.index_scans, self._index.everything), window)
        while (probes := self._look_ahead(after, windows)) is not None:
            *of_scans, everything = probes
            if whole := [each for each in of_scans if each.last is None]:
                return PlanStep({min(whole, key=lambda each: each.rows).scan: window}, after)
            ordered = [(each.last or "", each) for each in of_scans if each.scan.is_ordered]
            reach, best = self._furthest(ordered, key=lambda pair: pair[0])
            widest_reach, widest = max(ordered, key=lambda pair: _distance(pair[1].first, pair[0]))
            do_meet = best is widest or self._furthest(widest_reach, best.first) == widest_reach
            alone = PlanStep({best.scan: window}, after, reach)
            if do_meet:
                in_common = self._windows_in_common([each for _, each in ordered], best, everything, window, batch)
                return PlanStep(in_common, after) if in_common else alone
            if window == self.first_window and window * _share(of_scans, best, everything) >= batch:
                return alone  # which is likely to do, and sooner tried than looked ahead again
            # Nothing matches before the first row of this source, and beyond it the other may reach further.
            after = best.first[:-1] if self.is_ascending else f"{best.first}~"
        return None

    def _windows_in_common(
        self, probes: list[Probe], best: Probe, everything: Probe, window: int, batch: int
    ) -> dict[IndexScan, int | None]:
        """Of sources that are read sooner than looked up in, unless the first window of the best is likely to do.

        They reach equally far, and far enough for a batch if the sources have nothing to do with each other.
        """
        near = [each for each in probes if each.density <= PROBE_COST * best.density]
        share = _share(near, best, everything)
        if len(near) < 2 or (window == self.first_window and share * window >= batch):
            return {}
        rows = min(max(window, SURPLUS * batch / share), self.max_in_common)
        return {each.scan: ceil(rows * each.density / best.density) for each in near}

    def _look_ahead(self, after: str | None, windows: dict[IndexScan, int | None]) -> list[Probe] | None:
        """By each of these sources and as many rows of it, or None where one has no more, so that nothing matches."""
        if not all(scan.ranges for scan in windows):
            return None
        keyset = KeysetWindow(self.is_ascending, after)
        ends = fetch_union((scan.ends(window, keyset) for scan, window in windows.items()), using=self.using)
        probes = []
        for (scan, window), (least, greatest, rows, _) in zip(
            windows.items(), sorted(ends, key=itemgetter(-1)), strict=True
        ):
            if rows == 0:
                return None
            nearest, furthest = (least, greatest) if self.is_ascending else (greatest, least)
            density = rows / (_distance(least, greatest) + 1)
            probes.append(Probe(scan, rows, density, nearest, furthest if rows == window else None))
        return probes

    def _matching(self, step: PlanStep, after: str | None, limit: int) -> list[str]:
        [(scan, window)] = step.windows.items()
        keyset = KeysetWindow(self.is_ascending, after, step.end)
        statements = (each.matching(limit, window, keyset) for each in scan.ranges)
        found = {conversation_id for conversation_id, _ in fetch_union(statements, using=self.using)}
        return sorted(found, reverse=not self.is_ascending)[:limit]

    def _in_common(self, step: PlanStep, after: str | None, limit: int) -> list[str]:
        """Reads the longest of the windows, until the page is full, and looks its rows up in tables of the others."""
        keyset = KeysetWindow(self.is_ascending, after)
        *others, (longest, window) = sorted(step.windows.items(), key=lambda each: each[1] or 0)
        rows, read = longest.ids(window, keyset)
        common = [_is_among(scan.ids(window, keyset)) for scan, window in others]
        conditions, values = join_sql(" AND ", [*common, self._conditions.where_clause()])
        sql = (
            f"SELECT DISTINCT {ID} FROM ({rows}) AS {ROW} WHERE {conditions}"  # noqa: S608
            f" ORDER BY {ID} {keyset.order} LIMIT {limit}"
        )
        return [each for each, _ in fetch_union([(sql, (*read, *values))], using=self.using)]

    def _end_in_common(self, step: PlanStep, after: str | None) -> str | None:
        """Up to which nothing is missing, or None where there is no more."""
        probes = self._look_ahead(after, step.windows) or []
        return self._nearest((each.last for each in probes if each.last is not None), default=None)


def _is_among(statement: SQL) -> SQL:
    """IS TRUE leaves a database no join to choose, which it might do by comparing each row with each."""
    sql, parameters = statement
    return f"({ID} IN (SELECT {ID} FROM ({sql}) AS among)) IS TRUE", parameters  # noqa: S608


def _share(probes: list[Probe], best: Probe, everything: Probe) -> float:
    """Of the rows of the best, those that the others have too, if they have nothing to do with each other."""
    return prod(each.density / everything.density for each in probes if each is not best)


def _distance(one: str, other: str) -> int:
    """Between two conversations in time, by their ids."""
    return abs(_time(one) - _time(other))


def _time(conversation_id: str) -> int:
    """For ids that do not begin with it, as ours do, it is all the same: the answers are right, but take longer."""
    try:
        return int(conversation_id.removeprefix(ids.CONVERSATION_PREFIX)[:16], 16)
    except ValueError:
        return 0
