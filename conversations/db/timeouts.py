"""A limit to how long a block may ask the database, for what no index bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from django.db import OperationalError, connections, transaction

STEPS = 10_000  # of SQLite's machine, after each of which it is asked whether to go on

# What the databases call it: PostgreSQL, MariaDB, MySQL.
POSTGRESQL_CANCELED = "57014"
MYSQL_CODES = (1969, 3024)


class QueryTimeout(Exception):
    """Nothing is known of what was asked for."""


@contextmanager
def time_limit(seconds: float, *, using: str) -> Iterator[None]:
    """For a block that only reads: no statement begins once this long has gone by, and none takes longer."""
    end = monotonic() + seconds

    def execute_in_time(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if monotonic() >= end:
            raise QueryTimeout
        return execute(sql, params, many, context)

    vendor = connections[using].vendor
    limit = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}.get(vendor, _unlimited)
    try:
        with limit(seconds, using), connections[using].execute_wrapper(execute_in_time):
            yield
    except OperationalError as error:
        if _is_interruption(error, vendor):
            raise QueryTimeout from error
        raise


def _is_interruption(error: OperationalError, vendor: str) -> bool:
    match vendor:
        case "postgresql":
            return getattr(error.__cause__, "sqlstate", "") == POSTGRESQL_CANCELED
        case "mysql":
            return error.args[0] in MYSQL_CODES
    return str(error) == "interrupted"


@contextmanager
def _postgresql(seconds: float, using: str) -> Iterator[None]:
    """For the transaction, since a pool of connections may be in between; where there is one around, taken back."""
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            [before] = cursor.fetchone()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(round(seconds * 1000))])
        yield  # an error takes it back with the savepoint
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
    end = monotonic() + seconds
    connection.connection.set_progress_handler(lambda: monotonic() >= end, STEPS)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)


@contextmanager
def _unlimited(seconds: float, using: str) -> Iterator[None]:
    yield
