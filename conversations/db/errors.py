"""Classes of database errors, by code: Django's exception classes are too coarse, and each engine has its own codes.

A code is PostgreSQL's SQLSTATE, the number of an error of MariaDB or MySQL, or SQLite's primary result code. The three
do not overlap, so one table serves all engines.
"""

import sqlite3
from typing import Any

from django.db import Error, OperationalError

# The transaction was rolled back, or could not start, because of a parallel one.
CONFLICT = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    1020,  # ER_CHECKREAD
    1213,  # ER_LOCK_DEADLOCK
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}
STATEMENT_TIMEOUT = {
    "57014",  # query_canceled
    1969,  # ER_STATEMENT_TIMEOUT of MariaDB
    3024,  # ER_QUERY_TIMEOUT of MySQL
    sqlite3.SQLITE_INTERRUPT,
}
# A lock's time-out, a server that stops, starts, is full or has become a replica, or a connection that failed.
UNAVAILABLE = {
    "55P03",  # lock_not_available
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now
    "57P05",  # idle_session_timeout
    "25006",  # read_only_sql_transaction
    1205,  # ER_LOCK_WAIT_TIMEOUT
    1317,  # ER_QUERY_INTERRUPTED
    1927,  # ER_CONNECTION_KILLED
    1040,  # ER_CON_COUNT_ERROR
    1053,  # ER_SERVER_SHUTDOWN
    1203,  # ER_TOO_MANY_USER_CONNECTIONS
    1290,  # ER_OPTION_PREVENTS_STATEMENT, such as --read-only
    1792,  # ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
    1836,  # ER_READ_ONLY_MODE
    2002,  # CR_CONNECTION_ERROR
    2003,  # CR_CONN_HOST_ERROR
    2006,  # CR_SERVER_GONE_ERROR
    2013,  # CR_SERVER_LOST
    2055,  # CR_SERVER_LOST_EXTENDED
}
UNAVAILABLE_CLASSES = {"08", "53"}  # SQLSTATE classes connection_exception and insufficient_resources


def is_conflict(error: BaseException) -> bool:
    """Whether a parallel transaction caused the error, so that running the same transaction again may succeed now."""
    return not CONFLICT.isdisjoint(_codes(error))


def is_statement_timeout(error: BaseException) -> bool:
    """Whether the database stopped a statement that took too long."""
    return not STATEMENT_TIMEOUT.isdisjoint(_codes(error))


def is_temporary(error: BaseException) -> bool:
    """Whether the same request may succeed later: after a conflict, a time-out, or loss of the server."""
    codes = _codes(error)
    return (
        not (CONFLICT | STATEMENT_TIMEOUT | UNAVAILABLE).isdisjoint(codes)
        or any(isinstance(code, str) and code[:2] in UNAVAILABLE_CLASSES for code in codes)
        or _is_lost_connection(error)
    )


def _is_lost_connection(error: BaseException) -> bool:
    """Whether the error has no SQLSTATE because psycopg raised it without an answer from the server."""
    return isinstance(error, OperationalError) and getattr(error.__cause__, "sqlstate", "") is None


def _codes(error: BaseException) -> set[Any]:
    """Return the codes of a database error, or an empty set for any other exception."""
    if not isinstance(error, Error):
        return set()
    codes = {getattr(error.__cause__, "sqlstate", None)}
    if error.args and isinstance(error.args[0], int):
        codes.add(error.args[0])
    if (sqlite_code := getattr(error.__cause__, "sqlite_errorcode", None)) is not None:
        codes.add(sqlite_code & 0xFF)  # The last byte of an extended code is the primary one.
    return codes
