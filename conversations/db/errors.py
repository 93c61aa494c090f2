"""Tell conflicts, time-outs and other temporary errors apart, by the error codes of each engine.

Django's exception classes are too coarse for that: on SQLite, a locked database and a missing table are both an
`OperationalError`.

A code is PostgreSQL's SQLSTATE (a string), an error number of MariaDB or MySQL (1000 and more), or SQLite's primary
result code (below 256). These do not overlap, so one set of codes serves all engines.
"""

import errno
import sqlite3
from typing import Any

from django.db import Error, OperationalError

# A transaction was rolled back, or could not start, because of a parallel transaction.
CONFLICT = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    1020,  # ER_CHECKREAD
    1213,  # ER_LOCK_DEADLOCK
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}
# A statement was cancelled because it took too long.
STATEMENT_TIMEOUT = {
    "57014",  # query_canceled
    1969,  # ER_STATEMENT_TIMEOUT of MariaDB
    3024,  # ER_QUERY_TIMEOUT of MySQL
    sqlite3.SQLITE_INTERRUPT,
}
# A lock was not released in time.
LOCK_TIMEOUT = {
    "55P03",  # lock_not_available
    1205,  # ER_LOCK_WAIT_TIMEOUT
}
# A statement could not be executed at this time: the server is starting, stopping or read-only (perhaps because it has
# become a replica), the disk is full or failing, there are no memory or file handles left, or the connection was lost.
UNAVAILABLE = {
    "25006",  # read_only_sql_transaction
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now
    "57P05",  # idle_session_timeout
    "58030",  # io_error
    1021,  # ER_DISK_FULL
    1026,  # ER_ERROR_ON_WRITE
    1030,  # ER_GET_ERRNO, an error of the storage engine
    1036,  # ER_OPEN_AS_READONLY
    1037,  # ER_OUTOFMEMORY
    1040,  # ER_CON_COUNT_ERROR
    1041,  # ER_OUT_OF_RESOURCES
    1053,  # ER_SERVER_SHUTDOWN
    1114,  # ER_RECORD_FILE_FULL
    1135,  # ER_CANT_CREATE_THREAD
    1203,  # ER_TOO_MANY_USER_CONNECTIONS
    1290,  # ER_OPTION_PREVENTS_STATEMENT, such as --read-only
    1317,  # ER_QUERY_INTERRUPTED, by KILL QUERY
    1792,  # ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
    1836,  # ER_READ_ONLY_MODE
    1927,  # ER_CONNECTION_KILLED
    2001,  # CR_SOCKET_CREATE_ERROR
    2002,  # CR_CONNECTION_ERROR
    2003,  # CR_CONN_HOST_ERROR
    2005,  # CR_UNKNOWN_HOST
    2006,  # CR_SERVER_GONE_ERROR
    2013,  # CR_SERVER_LOST
    2055,  # CR_SERVER_LOST_EXTENDED
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
}
# The connection was lost, so that it is not known whether the database has executed the last statement.
LOST_CONNECTION = {
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    1053,  # ER_SERVER_SHUTDOWN
    1927,  # ER_CONNECTION_KILLED
    2006,  # CR_SERVER_GONE_ERROR
    2013,  # CR_SERVER_LOST
    2055,  # CR_SERVER_LOST_EXTENDED
}
# The same in PostgreSQL, for every SQLSTATE that begins so: connection_exception and insufficient_resources.
UNAVAILABLE_CLASSES = {"08", "53"}
# The same for files other than the database's, such as those of the cache.
UNAVAILABLE_FILES = {errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EROFS}


def is_conflict(error: BaseException) -> bool:
    """Whether a parallel transaction caused the error, so that running the same transaction again may succeed now."""
    return bool(CONFLICT & _codes(error))


def is_statement_timeout(error: BaseException) -> bool:
    """Whether the database cancelled a statement because it took too long."""
    return bool(STATEMENT_TIMEOUT & _codes(error))


def is_lock_timeout(error: BaseException) -> bool:
    """Whether a statement waited too long for a lock, or was not to wait at all."""
    return bool(LOCK_TIMEOUT & _codes(error))


def is_lost_connection(error: BaseException) -> bool:
    """Whether the connection was lost, perhaps after the database had executed the statement."""
    codes = _codes(error)
    has_code = bool(LOST_CONNECTION & codes) or any(isinstance(code, str) and code[:2] == "08" for code in codes)
    return has_code or _has_no_answer(error)


def is_temporary(error: BaseException) -> bool:
    """Whether the same request may succeed later: after a conflict, a time-out, or while the server is unavailable."""
    codes = _codes(error)
    return (
        bool((CONFLICT | STATEMENT_TIMEOUT | LOCK_TIMEOUT | UNAVAILABLE) & codes)
        or any(isinstance(code, str) and code[:2] in UNAVAILABLE_CLASSES for code in codes)
        or _has_no_answer(error)
        or (isinstance(error, OSError) and error.errno in UNAVAILABLE_FILES)
    )


def _has_no_answer(error: BaseException) -> bool:
    """Whether psycopg lost, or could not open, its connection.

    Its own exceptions then have a `sqlstate` of None, because no server sent one. Other drivers' exceptions have no
    such attribute; their codes for a lost connection are in `UNAVAILABLE`.
    """
    cause: Any = error.__cause__
    return isinstance(error, OperationalError) and hasattr(cause, "sqlstate") and cause.sqlstate is None


def _codes(error: BaseException) -> set[Any]:
    """Return the codes of a database error, and an empty set for any other exception.

    Django raises its own exception from the driver's. psycopg and SQLite have the code in an attribute of the driver's
    exception; mysqlclient has it as the first argument, which Django copies.
    """
    if not isinstance(error, Error):
        return set()
    cause = error.__cause__
    codes: set[Any] = set()
    if (sqlstate := getattr(cause, "sqlstate", None)) is not None:
        codes.add(sqlstate)
    if (sqlite_code := getattr(cause, "sqlite_errorcode", None)) is not None:
        codes.add(sqlite_code & 0xFF)  # The last byte of an extended code is the primary one.
    if error.args and isinstance(error.args[0], int):
        codes.add(error.args[0])
    return codes
