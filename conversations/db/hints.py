"""Hints to the query planners of the databases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.datastructures import BaseTable

MAX_INTEGER = 2**31 - 1  # the greatest value of an integer column

# The condition of PostgreSQL's index of the conversations whose ids are later than the hour of their last activity. It
# compares them with the `ids.lower_bound` of that hour's end.
IS_BACKDATED = (
    "active_hour IS NOT NULL AND conversations_conversation.id >= 'conv_' || lpad(to_hex(least(greatest("
    "date_part('epoch', active_hour AT TIME ZONE 'UTC')::bigint + 3600, 0), 4294967295)), 8, '0')"
)

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


def has_backdated_index(*, using: str) -> bool:
    """Whether an index has the rows of `IS_BACKDATED`."""
    return bool(connections[using].vendor == "postgresql")


def start_of_hour(moment: datetime) -> datetime:
    """Return what PostgreSQL's column `active_hour` has for a `last_item_at`."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def item_count_step(count: int) -> int:
    """Return what PostgreSQL's column `item_count_step` has for an `item_count`: the rounded cube root."""
    return round(math.cbrt(min(count, MAX_INTEGER)))


def activity_ordering(*, is_ascending: bool, using: str) -> list[Any]:
    """Return the ordering of conversations by their last item and id, as an index has it.

    The index of PostgreSQL has the hour only (see `IndexCondition`), so that each page sorts the rows of an hour.
    """
    keys: list[Any] = [F("last_item_at"), F("pk")]
    if connections[using].vendor == "postgresql":
        keys.insert(0, RawSQL("active_hour", ()))
    return [key.asc() if is_ascending else key.desc() for key in keys]


class IndexCondition(RawSQL):
    """A redundant condition by which PostgreSQL and SQLite recognize an index that models can't express.

    On PostgreSQL it compares a generated column of conversations: an index on `last_item_at` or `item_count` would
    change with each append, and end HOT updates. The generated columns change once an hour, and when the rounded cube
    root of the number of items does.
    """

    def __init__(self, sql: str, parameters: Sequence[Any], *, sqlite: str = "1 = 1") -> None:
        super().__init__(sql, parameters, output_field=BooleanField())
        self.sqlite = sqlite

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "1 = 1", ()

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return super().as_sql(compiler, connection)

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return self.sqlite, ()
