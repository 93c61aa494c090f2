"""The query as an SQL predicate about one row of the metadata index: whether the row's conversation matches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.db.models.sql import Query as Statement

from conversations.db.prepared_cursor import SQL
from conversations.schema.query.nodes import (
    ActiveCondition,
    And,
    CreatedCondition,
    HasCondition,
    IdCondition,
    IdPrefixCondition,
    ItemCondition,
    ItemCountCondition,
    MetadataCondition,
    Not,
    Or,
    OwnerCondition,
    Query,
    TextCondition,
)
from conversations.search.metadata_pair import MetadataPair
from conversations.search.predicates import (
    conversation_model,
    created_range,
    item_correlated,
    row_condition,
    row_correlated,
    text_correlated,
    value_condition,
)

ID = "conversation_id"
ROW = MetadataPair._meta.db_table  # the alias that the enclosing statement has to give the row
VALUE = RawSQL("value", (), output_field=MetadataPair._meta.get_field("value"))  # of the row or a looked-up pair


class RowPredicate:
    """Predicate of a query about a row of the index.

    The SQL is built as text, because the ORM takes longer to compile a correlated subquery for each condition than a
    database takes to execute the statement.
    """

    def __init__(self, query: Query, *, owner_id: Any, using: str) -> None:
        self.query = query
        self.owner_id = owner_id
        self.using = using
        self._compiled: dict[Query, SQL] = {}

    def where_clause(self, *, key: str | None = None, value: str | None = None) -> SQL:
        """Return the predicate for rows that are known to have this key and, unless it is None, this value."""
        return self._clause(self.query, key, value)

    def item_clause(self, condition: ItemCondition) -> SQL:
        """Return the predicate for conversations that are known to have such an item, but not who owns them."""
        return join_sql(" AND ", [self._clause(self.query, None, None, known=condition), *self.owner_clauses()])

    def owner_clauses(self) -> Iterator[SQL]:
        """Yield a look-up of the owner, unless conversations of all owners are wanted."""
        if self.owner_id is not None:
            table = conversation_model()._meta.db_table
            owner = MetadataPair._meta.get_field("owner")
            sql = f"SELECT {owner.column} FROM {table} AS owned WHERE owned.id = {ROW}.{ID}"  # noqa: S608
            yield f"(({sql}) = %s)", (owner.get_db_prep_value(self.owner_id, connections[self.using]),)

    def value_condition(self, condition: MetadataCondition) -> SQL:
        """Return the condition about the row's own value."""
        return self._compile_once(condition, value_condition(condition, VALUE))

    def _clause(self, query: Query, key: str | None, value: str | None, known: ItemCondition | None = None) -> SQL:
        match query:
            case And(parts):
                return join_sql(" AND ", (self._clause(part, key, value, known) for part in parts))
            case Or(parts):
                return join_sql(" OR ", (self._clause(part, key, value, known) for part in parts))
            case Not(part):
                sql, parameters = self._clause(part, key, value, known)
                return f"NOT {sql}", parameters
            case ItemCondition() if query == known:
                return "(1 = 1)", ()
            case ItemCondition():
                return self._compile_once(query, item_correlated(query, id_name=ID))
            case CreatedCondition():
                return self._compile_once(query, created_range(query, id_name=ID))
            case TextCondition():
                return self._compile_once(query, text_correlated(query, id_name=ID))
            case IdCondition() | IdPrefixCondition():
                return self._compile_once(query, row_condition(query, id_name=ID))
            case OwnerCondition() | ActiveCondition() | ItemCountCondition() | HasCondition():
                return self._compile_once(query, row_correlated(query, id_name=ID))
            case MetadataCondition() if query.key != key:
                return self._other_key_clause(query)
            case MetadataCondition() if value is None:
                return self.value_condition(query)
            case MetadataCondition():
                # The index range already decides this condition. Fold it to a constant, or the planner would count it
                # as one more filter.
                return ("(1 = 1)" if query.is_met_by(value) else "(1 = 0)"), ()

    def _other_key_clause(self, condition: MetadataCondition) -> SQL:
        """Return a look-up of the conversation's pair with another key than the row's."""
        sql, parameters = self.value_condition(condition)
        key_column = connections[self.using].ops.quote_name("key")
        # A scalar subquery: a database may turn EXISTS into a join, and then reads all pairs of the other key first.
        pair = f"SELECT {ID} FROM {ROW} AS other WHERE {ID} = {ROW}.{ID} AND {key_column} = %s AND {sql}"  # noqa: S608
        return f"(({pair}) IS NOT NULL)", (condition.key, *parameters)

    def _compile_once(self, query: Query, condition: Q) -> SQL:
        if query not in self._compiled:
            self._compiled[query] = compile_q(condition, using=self.using)
        return self._compiled[query]


def compile_q(condition: Q, *, using: str) -> SQL:
    """Return the condition as SQL in parentheses."""
    statement = Statement(MetadataPair)
    try:
        sql, parameters = statement.get_compiler(using).compile(statement.build_where(condition))
    except EmptyResultSet:
        return "(1 = 0)", ()
    return f"({sql})", tuple(parameters)


def join_sql(operator: str, conditions: Iterable[SQL]) -> SQL:
    """Return the joined conditions in parentheses, or a true condition if there are none."""
    parts = list(conditions)
    sql = operator.join(part for part, _ in parts) or "1 = 1"
    return f"({sql})", tuple(parameter for _, parameters in parts for parameter in parameters)
