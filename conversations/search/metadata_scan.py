"""Ids of the matching conversations in order, read from as few rows of the metadata index as possible.

The package's docstring explains the problem, the physical operators and the cost model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, prod
from operator import itemgetter
from typing import Any, ClassVar

from conversations import ids
from conversations.db.prepared_cursor import SQL, fetch_union
from conversations.schema.query.nodes import ItemCondition, Query, iter_conditions
from conversations.search.index_ranges import KeysetWindow
from conversations.search.index_scans import IndexScan, IndexScanBuilder
from conversations.search.row_predicates import ID, ROW, RowPredicate, join_sql

PROBE_COST = 8  # one random look-up costs about as much as reading 8 adjacent rows
SURPLUS = 1.7  # factor on the rows that contain a batch on average, so that an intersection seldom falls short of it


@dataclass(frozen=True)
class Probe:
    """The position of the next rows of a scan."""

    scan: IndexScan
    rows: int
    density: float  # rows per unit of time, see `_time`
    first: str  # id of the first row
    last: str | None  # the scan is complete up to this id; None if these are all the rows that are left


@dataclass(frozen=True)
class PlanStep:
    """One step of a scan: read the next rows of one index scan up to `end`, or intersect the next rows of several."""

    max_rows: dict[IndexScan, int | None]  # for each scan, None for all rows
    after: str | None
    end: str | None = None


class MetadataScan:
    """Scan of the conversations that match a query, of one owner or of all owners.

    If `index_scans` is empty, no index leads to the matches, and the conversations themselves have to be read.
    """

    first_lookahead: ClassVar[int] = 250  # rows of each index scan that the first probe covers
    lookahead_growth: ClassVar[int] = 4
    max_intersected_rows: ClassVar[int] = 6_000  # rows of a scan whose ids a database can hash in memory

    def __init__(self, query: Query, *, is_ascending: bool, owner_id: Any, using: str) -> None:
        self.is_ascending = is_ascending
        self.using = using
        self._nearest, self._furthest = (min, max) if is_ascending else (max, min)
        self._predicate = RowPredicate(query, owner_id=owner_id, using=using)
        self._builder = IndexScanBuilder(query, self._predicate, owner_id=owner_id, using=using)
        self.index_scans = self._builder.candidates(query)
        # The index of items does not know the owner, who may have few of them, so that reading all conversations of the
        # owner is another candidate.
        has_items = any(isinstance(condition, ItemCondition) for condition in iter_conditions(query))
        self._is_scoped = owner_id is None or not has_items
        if self.index_scans and not self._is_scoped:
            self.index_scans.append(self._builder.conversations_scan())

    def ids(self, *, after: str | None, batch: int) -> Iterator[str]:
        """Yield the matching ids that follow `after`, in order, reading `batch` of them at a time."""
        lookahead = self.first_lookahead
        while (step := self._next_step(after, lookahead, batch)) is not None:
            is_intersection = len(step.max_rows) > 1
            read = self._read_intersection if is_intersection else self._read_scan
            after = step.after
            while len(matches := read(step, after, batch)) == batch:
                yield from matches
                after = matches[-1]
            yield from matches
            lookahead *= self.lookahead_growth
            if is_intersection:
                after, lookahead = self._intersection_end(step, after), min(lookahead, self.max_intersected_rows)
            else:
                after = step.end
            if after is None:
                return

    def _next_step(self, after: str | None, lookahead: int, batch: int) -> PlanStep | None:
        """Choose the next step by probing all index scans; None if one of them has no more rows."""
        if len(self.index_scans) == 1:
            return PlanStep({self.index_scans[0]: None}, after)
        all_scans = (*self.index_scans, self._builder.conversations_scan())
        max_rows: dict[IndexScan, int | None] = dict.fromkeys(all_scans, lookahead)
        while (probes := self._probe(after, max_rows)) is not None:
            *scan_probes, conversations = probes
            if exhausted := [probe for probe in scan_probes if probe.last is None]:
                shortest = min(exhausted, key=lambda probe: probe.rows)
                return PlanStep({shortest.scan: lookahead}, after)
            ordered = [(probe.last or "", probe) for probe in scan_probes if probe.scan.is_ordered]
            best_last, best = self._furthest(ordered, key=lambda pair: pair[0])
            widest_last, widest = max(ordered, key=lambda pair: _distance(pair[1].first, pair[0]))
            do_overlap = best is widest or self._furthest(widest_last, best.first) == widest_last
            single_scan = PlanStep({best.scan: lookahead}, after, best_last)
            if do_overlap:
                rows = self._rows_to_intersect([probe for _, probe in ordered], best, conversations, lookahead, batch)
                return PlanStep(rows, after) if rows else single_scan
            matching_share = _matching_share(scan_probes, best, conversations)
            if lookahead == self.first_lookahead and lookahead * matching_share >= batch:
                return single_scan  # One read will probably fill the batch, and costs no more than another probe.
            # Nothing matches before the first row of the best scan. Probe again from there, because beyond it the
            # next rows of the widest scan may reach further.
            after = best.first[:-1] if self.is_ascending else f"{best.first}~"
        return None

    def _rows_to_intersect(
        self, probes: list[Probe], best: Probe, conversations: Probe, lookahead: int, batch: int
    ) -> dict[IndexScan, int | None]:
        """Return how many rows of which scans to intersect; empty if reading the best scan alone is cheaper.

        Intersected are the scans whose rows are cheaper to read than to look up one by one. Their rows cover the same
        time, long enough to contain a batch if the conditions are independent of each other.
        """
        dense = [probe for probe in probes if probe.density <= PROBE_COST * best.density]
        matching_share = _matching_share(dense, best, conversations)
        is_batch_likely = lookahead == self.first_lookahead and matching_share * lookahead >= batch
        if len(dense) < 2 or is_batch_likely:
            return {}
        rows = min(max(lookahead, SURPLUS * batch / matching_share), self.max_intersected_rows)
        return {probe.scan: ceil(rows * probe.density / best.density) for probe in dense}

    def _probe(self, after: str | None, max_rows: dict[IndexScan, int | None]) -> list[Probe] | None:
        """Probe the scans in one round trip; None if one of them has no more rows, so that nothing else matches."""
        if not all(scan.ranges for scan in max_rows):
            return None
        window = KeysetWindow(self.is_ascending, after)
        statements = (scan.probe_sql(limit, window) for scan, limit in max_rows.items())
        results = sorted(fetch_union(statements, using=self.using), key=itemgetter(-1))
        probes = []
        for (scan, limit), (least, greatest, rows, _) in zip(max_rows.items(), results, strict=True):
            if rows == 0:
                return None
            first, last = (least, greatest) if self.is_ascending else (greatest, least)
            density = rows / (_distance(least, greatest) + 1)
            probes.append(Probe(scan, rows, density, first, last if rows == limit else None))
        return probes

    def _read_scan(self, step: PlanStep, after: str | None, limit: int) -> list[str]:
        [(scan, max_rows)] = step.max_rows.items()
        window = KeysetWindow(self.is_ascending, after, step.end)
        statements = (index_range.matches_sql(limit, max_rows, window) for index_range in scan.ranges)
        matches = {conversation_id for conversation_id, _ in fetch_union(statements, using=self.using)}
        return sorted(matches, reverse=not self.is_ascending)[:limit]

    def _read_intersection(self, step: PlanStep, after: str | None, limit: int) -> list[str]:
        """Read the longest scan until `limit` rows match, and look its ids up in hash tables of the others."""
        window = KeysetWindow(self.is_ascending, after)
        *shorter, (longest, max_rows) = sorted(step.max_rows.items(), key=lambda item: item[1] or 0)
        rows, row_parameters = longest.ids_sql(max_rows, window)
        memberships = [_is_among(scan.ids_sql(scan_rows, window)) for scan, scan_rows in shorter]
        owner_clauses = [] if self._is_scoped else self._predicate.owner_clauses()
        conditions, parameters = join_sql(" AND ", [*memberships, self._predicate.where_clause(), *owner_clauses])
        sql = (
            f"SELECT DISTINCT {ID} FROM ({rows}) AS {ROW} WHERE {conditions}"  # noqa: S608
            f" ORDER BY {ID} {window.order} LIMIT {limit}"
        )
        return [match for match, _ in fetch_union([(sql, (*row_parameters, *parameters))], using=self.using)]

    def _intersection_end(self, step: PlanStep, after: str | None) -> str | None:
        """Return the id up to which the intersection is complete, or None if no more rows are left."""
        probes = self._probe(after, step.max_rows) or []
        return self._nearest((probe.last for probe in probes if probe.last is not None), default=None)


def _is_among(statement: SQL) -> SQL:
    """Return a condition that makes the database hash the ids of the statement.

    Without IS TRUE a database may plan a join that compares every pair of rows in the worst case.
    """
    sql, parameters = statement
    return f"({ID} IN (SELECT {ID} FROM ({sql}) AS among)) IS TRUE", parameters  # noqa: S608


def _matching_share(probes: list[Probe], best: Probe, conversations: Probe) -> float:
    """Estimate the share of the best scan's rows that the other scans contain too, assuming independent conditions."""
    return prod(probe.density / conversations.density for probe in probes if probe is not best)


def _distance(one: str, other: str) -> int:
    """Return the time between the creation of two conversations."""
    return abs(_time(one) - _time(other))


def _time(conversation_id: str) -> int:
    """Return the creation time in the id, in units that keep the order; 0 for ids of another format.

    With such ids the results are right but take longer, because all densities look alike.
    """
    try:
        return int(conversation_id.removeprefix(ids.CONVERSATION_PREFIX)[:16], 16)
    except ValueError:
        return 0
