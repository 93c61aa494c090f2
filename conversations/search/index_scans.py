"""Where the metadata index holds what matches: ranges of it that can be read in the order of conversations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from django.db import connections

from conversations.db.hints import index_hint_sql
from conversations.db.prepared_cursor import SQL
from conversations.schema.query.nodes import And, CreatedCondition, MetadataCondition, Or, Query
from conversations.search.index_ranges import IndexRange, KeysetWindow
from conversations.search.metadata_pair import MetadataPair
from conversations.search.predicates import created_range
from conversations.search.row_predicates import ID, ROW, RowConditions, compile_q, join_sql

MAX_VALUES, MAX_VALUES_OF_PREFIX = 16, 8  # of one condition, so that each is a range of its own


@dataclass(frozen=True, eq=False)
class IndexScan:
    """Ranges that together hold all that match."""

    ranges: tuple[IndexRange, ...]

    @property
    def is_ordered(self) -> bool:
        return all(each.is_ordered for each in self.ranges)

    def ids(self, window: int | None, keyset: KeysetWindow) -> SQL:
        """Those in its next `window` rows, or in all if that is None."""
        if len(self.ranges) == 1:
            return self.ranges[0].ids(window, keyset)
        parts = [each.ids(window, keyset) for each in self.ranges]
        either = " UNION ALL ".join(f"SELECT {ID} FROM ({sql}) AS range_{n}" for n, (sql, _) in enumerate(parts))  # noqa: S608
        limit = "" if window is None else f" ORDER BY {ID} {keyset.order} LIMIT {window}"
        sql = f"SELECT {ID} FROM ({either}) AS ranges{limit}"  # noqa: S608
        return sql, tuple(each for _, parameters in parts for each in parameters)

    def ends(self, window: int | None, keyset: KeysetWindow) -> SQL:
        """The least and the greatest id in its next `window` rows, and how many rows these are."""
        sql, parameters = self.ids(window, keyset)
        ends = f"SELECT MIN({ID}) AS least, MAX({ID}) AS greatest, COUNT(*) AS number_of_rows"
        return f"{ends} FROM ({sql}) AS ids", parameters


class IndexScans:
    """For one query, in the part of the index that is of one owner or in all of it."""

    def __init__(self, query: Query, conditions: RowConditions, *, owner_id: Any, using: str) -> None:
        self.conditions = conditions
        self.owner_id = owner_id
        self.using = using
        bounds = (compile_q(created_range(each, id_name=ID), using=using) for each in _bounds(query))
        self.scope = [*self._of_owner(), *bounds]
        self._values_that_begin = self._values_of(list(_prefixes(query)))

    def candidates(self, query: Query) -> list[IndexScan]:
        """Each of these holds all that match. The first is ordered, if there is any."""
        match query:
            case And(of):
                return [scan for part in of for scan in self.candidates(part)]
            case Or(of):
                choices = [self.candidates(part) for part in of]
                ranges = chain.from_iterable(choice[0].ranges for choice in choices if choice)
                return [IndexScan(tuple(ranges))] if all(choices) else []
            case MetadataCondition():
                return self._of_condition(query)
        return []

    def _values_of(self, prefixes: list[MetadataCondition]) -> dict[MetadataCondition, Sequence[str] | None]:
        """Those that begin so, or None where there are many."""
        if not prefixes:
            return {}
        of_owner = {} if self.owner_id is None else {"owner": self.owner_id}
        pairs = MetadataPair.objects.using(self.using).filter(**of_owner)
        suggested = pairs.suggested_values(
            [(each.key, each.values[0]) for each in prefixes], limit=MAX_VALUES_OF_PREFIX
        )
        return {
            each: None if suggestions.has_more else suggestions.texts
            for each, suggestions in zip(prefixes, suggested, strict=True)
        }

    def _of_condition(self, condition: MetadataCondition) -> list[IndexScan]:
        key = condition.key
        values: Sequence[str] | None = None
        match condition.operator, condition.values:
            case "eq" | "in", texts:
                values = texts
            case "prefix", _:
                values = self._values_that_begin[condition]
            case _:
                return [IndexScan((self._range("key", key),))]
        if values is not None and len(values) <= MAX_VALUES:
            return [IndexScan(tuple(self._range("value", key, value=each) for each in values))]
        return [
            IndexScan((self._range("key", key),)),
            IndexScan((self._range("value", key, self.conditions.value_condition(condition)),)),
        ]

    def _range(self, index: Literal["key", "value"], key: str, *which: SQL, value: str | None = None) -> IndexRange:
        """Pairs of this key and value, or those of this key that `which` tells."""
        name = f"conversations_pair{'' if self.owner_id is None else '_owner'}_{index}"
        connection = connections[self.using]
        of_key = f"{connection.ops.quote_name('key')} = %s", (key,)
        of_value = [] if value is None else [("value = %s", (value,))]
        condition, parameters = join_sql(" AND ", [of_key, *of_value, *which, *self.scope])
        pairs = f"SELECT {ID}, value FROM {ROW}{index_hint_sql(name, connection)} WHERE {condition}"  # noqa: S608
        return IndexRange((pairs, parameters), self.conditions.where_clause(key=key, value=value), is_ordered=not which)

    @property
    def everything(self) -> IndexScan:
        """The conversations themselves, to compare with how close together the rows of a source are."""
        table = MetadataPair._meta.get_field("conversation").related_model._meta.db_table
        index = index_hint_sql(
            "PRIMARY" if self.owner_id is None else "conversations_owner_id", connections[self.using]
        )
        of_owner, parameters = join_sql(" AND ", self._of_owner())
        rows = f"SELECT id AS {ID} FROM {table}{index} WHERE {of_owner}"  # noqa: S608
        pairs = f"SELECT {ID} FROM ({rows}) AS conversation WHERE 1 = 1"  # noqa: S608
        return IndexScan((IndexRange((pairs, parameters), ("1 = 1", ())),))

    def _of_owner(self) -> Iterator[SQL]:
        if self.owner_id is not None:
            owner = MetadataPair._meta.get_field("owner")
            yield f"{owner.column} = %s", (owner.get_db_prep_value(self.owner_id, connections[self.using]),)


def _bounds(query: Query) -> Iterator[CreatedCondition]:
    """The windows of time that the conditions share."""
    match query:
        case And(of):
            yield from chain.from_iterable(map(_bounds, of))
        case CreatedCondition():
            yield query


def _prefixes(query: Query) -> Iterator[MetadataCondition]:
    match query:
        case And(of) | Or(of):
            yield from chain.from_iterable(map(_prefixes, of))
        case MetadataCondition(operator="prefix"):
            yield query
