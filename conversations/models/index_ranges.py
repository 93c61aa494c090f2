"""Ranges of the metadata index, and the SQL that reads a stretch of one in the order of a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import F, Q

from conversations.models.lookups import by_row, lookup, says
from conversations.models.metadata import MetadataPairQuerySet
from conversations.schema.query import MetadataCondition, Query

ID = "conversation_id"
ALL = ~Q((f"{ID}__in", []))

SQL = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Stretch:
    """What lies beyond `after`, up to and with `end` where that is known."""

    is_ascending: bool
    after: str | None = None
    end: str | None = None

    @property
    def order(self) -> str:
        return "ASC" if self.is_ascending else "DESC"

    @property
    def where(self) -> SQL:
        beyond, up_to = (">", "<=") if self.is_ascending else ("<", ">=")
        ends = [(operator, place) for operator, place in ((beyond, self.after), (up_to, self.end)) if place is not None]
        return "".join(f" AND {ID} {operator} %s" for operator, _ in ends), tuple(place for _, place in ends)


class Range:
    """Pairs of one key, and of one value unless it is None, which an index has side by side.

    Of more values than one they may be in another order than that of conversations.
    """

    def __init__(
        self, pairs: MetadataPairQuerySet, query: Query, *, key: str, value: str | None = None, is_ordered: bool = True
    ) -> None:
        self.pairs = pairs
        self.query = query
        self.key = key
        self.value = value
        self.is_ordered = is_ordered

    def last_of(self, window: int, stretch: Stretch) -> SQL:
        """The id in the last of that many rows, if there are as many."""
        order = f"{ID} {stretch.order}" if self.is_ordered else "value"
        return self._read(self._pairs_sql, stretch, f"ORDER BY {order} LIMIT 1 OFFSET {window - 1}")

    def matching(self, limit: int, stretch: Stretch) -> SQL | None:
        """The ids of conversations that match, or None where none can."""
        if self._matching_sql is None:
            return None
        # Of an expression no index has the order, so that rows which are few, but in none, are read first and sorted.
        order = ID if self.is_ordered else f"SUBSTR({ID}, 1)"
        return self._read(self._matching_sql, stretch, f"ORDER BY {order} {stretch.order} LIMIT {limit}")

    def _read(self, pairs: SQL, stretch: Stretch, rest: str) -> SQL:
        (sql, parameters), (where, places) = pairs, stretch.where
        return f"{sql}{where} {rest}", (*parameters, *places)

    @cached_property
    def _pairs_sql(self) -> SQL:
        return _sql(self.pairs)

    @cached_property
    def _matching_sql(self) -> SQL | None:
        try:
            return _sql(self.pairs.filter(lookup(self.query, metadata=self._metadata, id_name=ID)))
        except EmptyResultSet:
            return None

    def _metadata(self, condition: MetadataCondition) -> Q:
        if condition.key != self.key:
            return by_row(condition, id_name=ID)
        if self.value is None:
            return says(condition, F("value"))
        # Of what all of them say, nothing is asked again: a database would take it for one more condition.
        return ALL if condition.allows(self.value) else ~ALL


def rows_of(statements: Iterable[SQL], *, using: str) -> list[tuple[str, int]]:
    """The ids that these select, each with the number of its statement, at one go."""
    parts = list(statements)
    if not parts:
        return []
    numbered = [f"SELECT part_{n}.*, {n} FROM ({sql}) AS part_{n}" for n, (sql, _) in enumerate(parts)]  # noqa: S608
    with connections[using].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(numbered), [each for _, parameters in parts for each in parameters])
        return list(cursor.fetchall())


def _sql(pairs: MetadataPairQuerySet) -> SQL:
    sql, parameters = pairs.values_list(ID).query.get_compiler(pairs.db).as_sql()
    return sql, tuple(parameters)
