"""Ranges of the metadata index, and the SQL that reads a stretch of one in the order of a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import connections
from django.db.models import F, Q

from conversations.models.lookups import by_row, lookup, said_by_row, says
from conversations.models.metadata import MetadataPair, MetadataPairQuerySet
from conversations.schema.query import MetadataCondition, Query

ID = "conversation_id"
ALL = ~Q((f"{ID}__in", []))

SQL = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Stretch:
    """What lies beyond `after`, up to and with `end`; for None, from the beginning and to the end of all."""

    is_ascending: bool
    after: str | None = None
    end: str | None = None

    @property
    def order(self) -> str:
        return "ASC" if self.is_ascending else "DESC"

    def beyond(self, name: str) -> SQL:
        return _comparison(name, ">" if self.is_ascending else "<", self.after)

    def up_to(self, name: str) -> SQL:
        return _comparison(name, "<=" if self.is_ascending else ">=", self.end)


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

    def nth(self, number: int, stretch: Stretch) -> SQL:
        """The id in the row of this number, counted from 1, if there are as many."""
        sql, parameters = self._pairs_beyond(stretch)
        sql += f" ORDER BY {self._order(stretch)} LIMIT 1 OFFSET {number - 1}"
        return f"SELECT {ID} FROM ({sql}) AS pair", parameters  # noqa: S608

    def matching(self, limit: int, stretch: Stretch, window: int | None) -> SQL | None:
        """The ids of conversations that match, of the next `window` rows if it is not None; None where none can.

        The window is a query of its own, or else a database might read it by an index which it thinks shorter.
        """
        if self._conditions is None:
            return None
        pairs, parameters = self._pairs_beyond(stretch)
        if window is not None:
            pairs += f" ORDER BY {self._order(stretch)} LIMIT {window}"
        (conditions, values), (up_to, end) = self._conditions, stretch.up_to(ID)
        return (
            f"SELECT {ID} FROM ({pairs}) AS {MetadataPair._meta.db_table} WHERE {conditions}{up_to}"  # noqa: S608
            f" ORDER BY {ID} {stretch.order} LIMIT {limit}",
            (*parameters, *values, *end),
        )

    def _pairs_beyond(self, stretch: Stretch) -> SQL:
        # An expression, so that rows in the order of their values are not read by an index of the other order.
        (sql, parameters), (beyond, after) = self._sql, stretch.beyond(ID if self.is_ordered else f"SUBSTR({ID}, 1)")
        return f"{sql}{beyond}", (*parameters, *after)

    def _order(self, stretch: Stretch) -> str:
        return f"{ID} {stretch.order}" if self.is_ordered else "value"

    @cached_property
    def _sql(self) -> SQL:
        sql, parameters = self.pairs.values_list(ID, "value").query.get_compiler(self.pairs.db).as_sql()
        return sql, tuple(parameters)

    @cached_property
    def _conditions(self) -> SQL | None:
        """What tells of such a row whether its conversation matches."""
        text = partial(said_by_row, id_name=ID)
        query = MetadataPair.objects.filter(lookup(self.query, metadata=self._metadata, text=text, id_name=ID)).query
        try:
            sql, parameters = query.get_compiler(self.pairs.db).compile(query.where)
        except FullResultSet:
            return "1 = 1", ()
        except EmptyResultSet:
            return None
        return sql, tuple(parameters)

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


def _comparison(name: str, operator: str, place: str | None) -> SQL:
    return ("", ()) if place is None else (f" AND {name} {operator} %s", (place,))
