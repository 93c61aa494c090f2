from __future__ import annotations

from typing import Any, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.datastructures import BaseTable

QuerySetType = TypeVar("QuerySetType", bound=QuerySet[Any, Any])


class HintedTable(BaseTable):
    def __init__(self, table_name: str, alias: str | None, index: str) -> None:
        super().__init__(table_name, alias)
        self.index = index

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        sql, parameters = self.as_sql(compiler, connection)
        return sql + index_hint_sql(self.index, connection), parameters


def index_hint_sql(index: str, connection: BaseDatabaseWrapper) -> str:
    """What is said of it after the name of a table."""
    return f" FORCE INDEX ({connection.ops.quote_name(index)})" if connection.vendor == "mysql" else ""


def with_index_hint(rows: QuerySetType, index: str) -> QuerySetType:
    """The same rows, read by this index on MySQL and MariaDB.

    Where an order and a limit are asked for, they count on finding matches soon in whatever index has that order, and
    read all of a primary key for want of them. The other databases need no telling.
    """
    rows = rows.all()
    alias = rows.query.get_initial_alias()
    rows.query.alias_map[alias] = HintedTable(rows.model._meta.db_table, alias, index)
    return rows


def disable_sequential_scans(*, using: str) -> None:
    """For the rest of a transaction: PostgreSQL else reads a whole table for what it takes for most of that."""
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
