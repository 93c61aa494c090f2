"""Hints to the query planners of the databases."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.datastructures import BaseTable

QuerySetType = TypeVar("QuerySetType", bound=QuerySet[Any, Any])


class HintedTable(BaseTable):
    """A table in FROM with an index hint behind its name on MySQL and MariaDB."""

    def __init__(self, table_name: str, alias: str | None, index: str) -> None:
        super().__init__(table_name, alias)
        self.index = index

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        sql, parameters = self.as_sql(compiler, connection)
        return sql + index_hint_sql(self.index, connection), parameters


def index_hint_sql(index: str, connection: BaseDatabaseWrapper) -> str:
    """Return the hint to append to a table's name in FROM, empty on databases without hints."""
    return f" FORCE INDEX ({connection.ops.quote_name(index)})" if connection.vendor == "mysql" else ""


def with_index_hint(rows: QuerySetType, index: str) -> QuerySetType:
    """Return the same rows, read through this index on MySQL and MariaDB.

    For a query with ORDER BY and LIMIT, their optimizers may choose an index in that order, expecting to meet matches
    soon, and read all of it when there are few. Other databases choose well without a hint.
    """
    rows = rows.all()
    alias = rows.query.get_initial_alias()
    rows.query.alias_map[alias] = HintedTable(rows.model._meta.db_table, alias, index)
    return rows


def disable_sequential_scans(*, using: str) -> None:
    """Keep PostgreSQL from sequential scans for the rest of the transaction.

    It would read a whole table where it estimates that a statement needs most of its rows.
    """
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
