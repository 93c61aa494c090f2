"""SQL that tells of one row of the metadata index after the other whether its conversation matches."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connections
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.db.models.sql import Query as Statement

from conversations.db.prepared_cursor import SQL
from conversations.schema.query.nodes import And, CreatedCondition, MetadataCondition, Not, Or, Query, TextCondition
from conversations.search.metadata_pair import MetadataPair
from conversations.search.predicates import created_range, text_correlated, value_condition

ID = "conversation_id"
ROW = MetadataPair._meta.db_table  # what the row has to be called around these conditions
VALUE = RawSQL("value", (), output_field=MetadataPair._meta.get_field("value"))  # the row's, or that of a looked-up one


class RowConditions:
    """All that is asked, for rows of one key or value after the other.

    Written here and not by the ORM, which takes longer to write a look-up in each row than a database to do it.
    """

    def __init__(self, query: Query, *, using: str) -> None:
        self.query = query
        self.using = using
        self._compiled: dict[Query, SQL] = {}

    def where_clause(self, *, key: str | None = None, value: str | None = None) -> SQL:
        """For rows of this key and of this value, unless these are None."""
        return self._clause(self.query, key, value)

    def value_condition(self, condition: MetadataCondition) -> SQL:
        """What is asked of the value at hand."""
        return self._compile_once(condition, value_condition(condition, VALUE))

    def _clause(self, query: Query, key: str | None, value: str | None) -> SQL:
        match query:
            case And(of):
                return join_sql(" AND ", (self._clause(part, key, value) for part in of))
            case Or(of):
                return join_sql(" OR ", (self._clause(part, key, value) for part in of))
            case Not(of):
                sql, parameters = self._clause(of, key, value)
                return f"NOT {sql}", parameters
            case CreatedCondition():
                return self._compile_once(query, created_range(query, id_name=ID))
            case TextCondition():
                return self._compile_once(query, text_correlated(query, id_name=ID))
            case MetadataCondition() if query.key != key:
                return self._lookup_clause(query)
            case MetadataCondition() if value is None:
                return self.value_condition(query)
            case MetadataCondition():
                # Of what all of them say, nothing is asked again: a database would take it for one more condition.
                return ("(1 = 1)" if query.allows(value) else "(1 = 0)"), ()

    def _lookup_clause(self, condition: MetadataCondition) -> SQL:
        sql, parameters = self.value_condition(condition)
        quoted = connections[self.using].ops.quote_name("key")
        # Unlike EXISTS, a scalar is never made a join.
        found = f"SELECT {ID} FROM {ROW} AS other WHERE {ID} = {ROW}.{ID} AND {quoted} = %s AND {sql}"  # noqa: S608
        return f"(({found}) IS NOT NULL)", (condition.key, *parameters)

    def _compile_once(self, query: Query, condition: Q) -> SQL:
        if query not in self._compiled:
            self._compiled[query] = compile_q(condition, using=self.using)
        return self._compiled[query]


def compile_q(condition: Q, *, using: str) -> SQL:
    """In brackets."""
    statement = Statement(MetadataPair)
    sql, parameters = statement.get_compiler(using).compile(statement.build_where(condition))
    return f"({sql})", tuple(parameters)


def join_sql(operator: str, conditions: Iterable[SQL]) -> SQL:
    """In brackets."""
    parts = list(conditions)
    return f"({operator.join(sql for sql, _ in parts) or '1 = 1'})", tuple(each for _, of in parts for each in of)
