"""Statements with server-side parameters on PostgreSQL, prepared where the connection allows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

SQL = tuple[str, tuple[Any, ...]]  # statement and parameters


def fetch_rows(
    sql: str, parameters: Sequence[Any] | Mapping[str, Any], *, connection: BaseDatabaseWrapper
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement that is executed often.

    Django's cursors for psycopg write values into the SQL, so that PostgreSQL sees a new statement each time. This
    function sends values as parameters. The statement is then prepared if OPTIONS of the database has a
    `prepare_threshold`.
    """
    prepared = _prepared_cursor(connection)
    with connection.cursor() if prepared is None else nullcontext(connection.make_cursor(prepared)) as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def fetch_union(statements: Iterable[SQL], *, using: str) -> list[tuple[Any, ...]]:
    """Return the rows of several SELECT statements in one round trip, each with the statement's index at its end."""
    parts = list(statements)
    if not parts:
        return []
    numbered = [f"SELECT part_{n}.*, {n} FROM ({sql}) AS part_{n}" for n, (sql, _) in enumerate(parts)]  # noqa: S608
    with connections[using].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(numbered), [value for _, parameters in parts for value in parameters])
        return list(cursor.fetchall())


def _prepared_cursor(connection: Any) -> Any:
    """Return the connection's cursor for prepared statements, or None where Django's own cursor has to be used.

    All statements of a connection share it: making a cursor takes longer than sending a statement.
    """
    if connection.vendor != "postgresql" or connection.queries_logged:  # Only Django's cursor logs its statements.
        return None
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    if getattr(connection._cursor, "__func__", None) is not vars(BaseDatabaseWrapper)["_cursor"]:
        # Multi-tenant backends set the search path whenever Django opens a cursor, and the shared one stays open.
        connection.cursor().close()
    cursor = vars(connection).get("_conversations_cursor")
    if cursor is None or cursor.connection is not connection.connection:
        cursor_class = _prepared_cursor_class()
        if cursor_class is None:
            return None
        cursor = connection._conversations_cursor = cursor_class(connection.connection)
    cursor.threshold = connection.settings_dict["OPTIONS"].get("prepare_threshold")
    return cursor


@cache
def _prepared_cursor_class() -> Any:
    """Return the class of cursors for prepared statements, or None without psycopg 3.

    It is defined on first use, because its base class needs the driver.
    """
    from django.db.backends.postgresql import base, psycopg_any

    if not psycopg_any.is_psycopg3:
        return None
    ServerBindingCursor: Any = base.ServerBindingCursor

    class PreparedCursor(ServerBindingCursor):  # type: ignore[misc]
        """Cursor whose statements are prepared on the server; other cursors of the connection stay unprepared.

        Django's own statements hold their values: to count them, the driver would keep a hundred such texts of any
        length.
        """

        threshold: int | None = None

        def execute(self, *args: Any, **kwargs: Any) -> Any:
            self.connection.prepare_threshold = self.threshold
            try:
                return super().execute(*args, **kwargs)
            finally:
                self.connection.prepare_threshold = None

    return PreparedCursor
