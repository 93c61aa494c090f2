"""Candidate index scans of a query: sets of index ranges, each of which contains every match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from django.db import connections

from conversations.db.hints import index_hint_sql
from conversations.db.prepared_cursor import SQL
from conversations.schema.query.nodes import And, CreatedCondition, ItemCondition, MetadataCondition, Or, Query
from conversations.schema.query.operators import IndexUse
from conversations.search.index_ranges import IndexRange, KeysetWindow
from conversations.search.metadata_pair import MetadataPair
from conversations.search.predicates import ITEM_INDEXES, conversation_model, created_range, items_with
from conversations.search.row_predicates import ID, ROW, RowPredicate, compile_q, join_sql

# A condition with more values, or a prefix of more values, is not read as one range per value: each range is a
# subquery of the statement, and one range that ends soon is faster than many.
MAX_VALUES = 16
MAX_PREFIXED_VALUES = 8


@dataclass(frozen=True, eq=False)
class IndexScan:
    """Index ranges that together contain every match of a query."""

    ranges: tuple[IndexRange, ...]

    @property
    def is_ordered(self) -> bool:
        return all(index_range.is_ordered for index_range in self.ranges)

    def ids_sql(self, max_rows: int | None, window: KeysetWindow) -> SQL:
        """Return a statement for the ids in the next `max_rows` rows of the window, or in all if None."""
        if len(self.ranges) == 1:
            return self.ranges[0].ids_sql(max_rows, window)
        statements = [index_range.ids_sql(max_rows, window) for index_range in self.ranges]
        union = " UNION ALL ".join(
            f"SELECT {ID} FROM ({sql}) AS range_{number}"  # noqa: S608
            for number, (sql, _) in enumerate(statements)
        )
        limit = "" if max_rows is None else f" ORDER BY {ID} {window.order} LIMIT {max_rows}"
        sql = f"SELECT {ID} FROM ({union}) AS ranges{limit}"  # noqa: S608
        return sql, tuple(parameter for _, parameters in statements for parameter in parameters)

    def probe_sql(self, max_rows: int | None, window: KeysetWindow) -> SQL:
        """Return a statement for the least and the greatest id of the next `max_rows` rows, and their number."""
        sql, parameters = self.ids_sql(max_rows, window)
        aggregates = f"SELECT MIN({ID}) AS least, MAX({ID}) AS greatest, COUNT(*) AS number_of_rows"
        return f"{aggregates} FROM ({sql}) AS ids", parameters


class IndexScanBuilder:
    """Builds the scans of one query, among the conversations of one owner or of all owners."""

    def __init__(self, query: Query, predicate: RowPredicate, *, owner_id: Any, using: str) -> None:
        self.predicate = predicate
        self.owner_id = owner_id
        self.using = using
        time_ranges = (compile_q(created_range(each, id_name=ID), using=using) for each in _time_bounds(query))
        self._time_ranges = list(time_ranges)
        self._scope = [*self._owner_clauses(), *self._time_ranges]
        self._prefixed_values = self._look_up_prefixed_values(list(_prefix_conditions(query)))

    def candidates(self, query: Query) -> list[IndexScan]:
        """Return the scans that contain every match, none if no index does. The first one is ordered."""
        match query:
            case And(parts):
                return [scan for part in parts for scan in self.candidates(part)]
            case Or(parts):
                alternatives = [self.candidates(part) for part in parts]
                ranges = chain.from_iterable(scans[0].ranges for scans in alternatives if scans)
                return [IndexScan(tuple(ranges))] if all(alternatives) else []
            case MetadataCondition():
                return self._condition_scans(query)
            case ItemCondition() if query.is_indexed:
                return [IndexScan((self._item_range(query),))]
        return []

    def conversations_scan(self) -> IndexScan:
        """Return a scan of the conversations themselves, whose density the densities of other scans compare with."""
        table = conversation_model()._meta.db_table
        index = index_hint_sql(
            "PRIMARY" if self.owner_id is None else "conversations_owner_id", connections[self.using]
        )
        owner_clause, parameters = join_sql(" AND ", self._owner_clauses())
        rows = f"SELECT id AS {ID} FROM {table}{index} WHERE {owner_clause}"  # noqa: S608
        pairs = f"SELECT {ID} FROM ({rows}) AS conversation WHERE 1 = 1"  # noqa: S608
        return IndexScan((IndexRange((pairs, parameters), self.predicate.where_clause()),))

    def _look_up_prefixed_values(
        self, prefix_conditions: list[MetadataCondition]
    ) -> dict[MetadataCondition, Sequence[str] | None]:
        """Return the values that begin with each condition's prefix, or None if there are too many."""
        if not prefix_conditions:
            return {}
        owner_filter = {} if self.owner_id is None else {"owner": self.owner_id}
        pairs = MetadataPair.objects.using(self.using).filter(**owner_filter)
        prefixes = [(condition.key, condition.values[0]) for condition in prefix_conditions]
        suggested = pairs.suggested_values(prefixes, limit=MAX_PREFIXED_VALUES)
        return {
            condition: None if suggestions.has_more else suggestions.texts
            for condition, suggestions in zip(prefix_conditions, suggested, strict=True)
        }

    def _condition_scans(self, condition: MetadataCondition) -> list[IndexScan]:
        key = condition.key
        values: Sequence[str] | None
        match condition.definition.index_use:
            case IndexUse.VALUES:
                values = condition.values
            case IndexUse.PREFIX:
                values = self._prefixed_values[condition]
            case _:
                return [IndexScan((self._range("key", key),))]
        if values is not None and len(values) <= MAX_VALUES:
            return [IndexScan(tuple(self._range("value", key, value=value) for value in values))]
        return [
            IndexScan((self._range("key", key),)),
            IndexScan((self._range("value", key, self.predicate.value_condition(condition)),)),
        ]

    def _range(
        self, index: Literal["key", "value"], key: str, *value_conditions: SQL, value: str | None = None
    ) -> IndexRange:
        """Return the range of a key, of a key and value, or of a key and the values that meet the conditions."""
        name = f"conversations_pair{'' if self.owner_id is None else '_owner'}_{index}"
        connection = connections[self.using]
        key_clause = f"{connection.ops.quote_name('key')} = %s", (key,)
        value_clause = [] if value is None else [("value = %s", (value,))]
        condition, parameters = join_sql(" AND ", [key_clause, *value_clause, *value_conditions, *self._scope])
        pairs = f"SELECT {ID}, value FROM {ROW}{index_hint_sql(name, connection)} WHERE {condition}"  # noqa: S608
        predicate = self.predicate.where_clause(key=key, value=value)
        return IndexRange((pairs, parameters), predicate, is_ordered=not value_conditions)

    def _item_range(self, condition: ItemCondition) -> IndexRange:
        """Return the conversations with such an item. The index of the items does not know their owners."""
        name, is_indexed = ITEM_INDEXES[condition.column]
        table = items_with(condition).model._meta.db_table
        item_clause = f"{condition.column} = %s AND {is_indexed}", (condition.value,)
        clause, parameters = join_sql(" AND ", [item_clause, *self._time_ranges])
        hint = index_hint_sql(name, connections[self.using])
        conversations = f"SELECT DISTINCT {ID} FROM {table} AS {ROW}{hint} WHERE {clause}"  # noqa: S608
        return IndexRange((conversations, parameters), self.predicate.item_clause(condition))

    def _owner_clauses(self) -> Iterator[SQL]:
        if self.owner_id is not None:
            owner = MetadataPair._meta.get_field("owner")
            yield f"{owner.column} = %s", (owner.get_db_prep_value(self.owner_id, connections[self.using]),)


def _time_bounds(query: Query) -> Iterator[CreatedCondition]:
    """Yield the creation times that every match has to meet."""
    match query:
        case And(parts):
            yield from chain.from_iterable(map(_time_bounds, parts))
        case CreatedCondition():
            yield query


def _prefix_conditions(query: Query) -> Iterator[MetadataCondition]:
    match query:
        case And(parts) | Or(parts):
            yield from chain.from_iterable(map(_prefix_conditions, parts))
        case MetadataCondition() if query.definition.index_use is IndexUse.PREFIX:
            yield query
