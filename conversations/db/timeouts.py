"""Time limit for the queries of a block, for searches that no index can bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from django.db import OperationalError, connections, transaction

from conversations.db.errors import is_statement_timeout

SQLITE_STEPS = 10_000  # instructions of SQLite's virtual machine between two looks at the clock


class QueryTimeout(Exception):
    """The queries of a block took longer than its time limit, so that their result is unknown."""


@contextmanager
def time_limit(seconds: float, *, using: str) -> Iterator[None]:
    """Limit the time of a block that only reads, and raise `QueryTimeout` once it is over.

    No statement starts after that many seconds. A statement that runs longer is cancelled.
    """
    deadline = monotonic() + seconds

    def execute_in_time(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if monotonic() >= deadline:
            raise QueryTimeout
        return execute(sql, params, many, context)

    vendor = connections[using].vendor
    limit = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}.get(vendor, _unlimited)
    try:
        with limit(seconds, using), connections[using].execute_wrapper(execute_in_time):
            yield
    except OperationalError as error:
        if is_statement_timeout(error):
            raise QueryTimeout from error
        raise


@contextmanager
def _postgresql(seconds: float, using: str) -> Iterator[None]:
    """Set the limit for a transaction only: the next one may use another connection of a pool.

    The previous limit is set again at the end of the block, in case an outer transaction goes on.
    """
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            [before] = cursor.fetchone()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(round(seconds * 1000))])
        yield  # After an error, the rollback to the savepoint restores the previous limit.
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])


@contextmanager
def _mysql(seconds: float, using: str) -> Iterator[None]:
    connection: Any = connections[using]
    name, unit = ("max_statement_time", 1) if connection.mysql_is_mariadb else ("max_execution_time", 1_000)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT @@SESSION.{name}")
        [before] = cursor.fetchone()
        cursor.execute(f"SET SESSION {name} = %s", [seconds * unit])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION {name} = %s", [before])


@contextmanager
def _sqlite(seconds: float, using: str) -> Iterator[None]:
    connection: Any = connections[using]
    connection.ensure_connection()
    deadline = monotonic() + seconds
    connection.connection.set_progress_handler(lambda: monotonic() >= deadline, SQLITE_STEPS)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)


@contextmanager
def _unlimited(seconds: float, using: str) -> Iterator[None]:
    yield
