"""Time limit for the queries in a `with` statement. The admin uses it for searches that no index can answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from django.db import OperationalError, connections, transaction

from conversations.db.errors import is_statement_timeout

SQLITE_STEPS = 10_000  # instructions of SQLite's virtual machine between two looks at the clock


class QueryTimeout(Exception):
    """The queries within a `time_limit` took too long and have no result."""


@contextmanager
def time_limit(seconds: float, *, using: str) -> Iterator[None]:
    """Limit the time of the queries in a `with` statement that only reads. Raise `QueryTimeout` if they take longer.

    No statement starts after `seconds`. One that is running then is cancelled on SQLite; the other databases cancel a
    statement when it alone has run for `seconds`, so all of them together take at most twice that long.
    """
    deadline = monotonic() + seconds

    def refuse_after_deadline(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if monotonic() >= deadline:
            raise QueryTimeout
        return execute(sql, params, many, context)

    connection = connections[using]
    vendors = {"postgresql": _postgresql_timeout, "mysql": _mysql_timeout, "sqlite": _sqlite_timeout}
    statement_timeout = vendors.get(connection.vendor, _no_timeout)
    try:
        with statement_timeout(seconds, using), connection.execute_wrapper(refuse_after_deadline):
            yield
    except OperationalError as error:
        if is_statement_timeout(error):
            raise QueryTimeout from error
        raise


@contextmanager
def _postgresql_timeout(seconds: float, using: str) -> Iterator[None]:
    """Set `statement_timeout` for a transaction, because the next transaction may use another connection of a pool.

    If there is an outer transaction, the setting would stay until its end, so set the previous value again.
    """
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            [previous] = cursor.fetchone()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(round(seconds * 1000))])
        yield  # After an error, the rollback to the savepoint restores the previous value.
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [previous])


@contextmanager
def _mysql_timeout(seconds: float, using: str) -> Iterator[None]:
    """Set the session's time-out for statements: a float of seconds on MariaDB, an integer of milliseconds on MySQL."""
    connection: Any = connections[using]
    if connection.mysql_is_mariadb:
        name, value = "max_statement_time", seconds
    else:
        name, value = "max_execution_time", max(round(seconds * 1_000), 1)  # 0 means no limit
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT @@SESSION.{name}")
        [previous] = cursor.fetchone()
        cursor.execute(f"SET SESSION {name} = %s", [value])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION {name} = %s", [previous])


@contextmanager
def _sqlite_timeout(seconds: float, using: str) -> Iterator[None]:
    """Interrupt statements after the deadline: SQLite stops when the progress handler returns True."""
    connection: Any = connections[using]
    connection.ensure_connection()
    deadline = monotonic() + seconds
    connection.connection.set_progress_handler(lambda: monotonic() >= deadline, SQLITE_STEPS)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)


@contextmanager
def _no_timeout(seconds: float, using: str) -> Iterator[None]:
    """Do nothing: for another database, a running statement is not cancelled, and the next one is refused."""
    yield
