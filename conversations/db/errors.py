"""What an error of the database means, beyond the class that Django gives it: each engine has numbers of its own."""

import sqlite3
from typing import Any

from django.db import Error, OperationalError

SERIALIZATION_FAILURE, DEADLOCK_DETECTED = "40001", "40P01"  # PostgreSQL's SQLSTATE
CHECKREAD, LOCK_DEADLOCK = 1020, 1213  # MariaDB's and MySQL's numbers

# A statement's or a lock's time-out, a server that stops, starts, is full or has become a replica, and no way to it.
TEMPORARY_STATES = {"57014", "55P03", "57P01", "57P02", "57P03", "57P05", "25006"}
TEMPORARY_CLASSES = {"08", "53"}
TEMPORARY_NUMBERS = {
    *(1969, 3024, 1205, 1317, 1927),
    *(1040, 1053, 1203, 1290, 1792, 1836),
    *(2002, 2003, 2006, 2013, 2055),
}


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction was given up for a parallel one, so that the same one may well succeed now."""
    if not isinstance(error, Error):
        return False
    return (
        _sqlstate(error) in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED)
        or _number(error) in (CHECKREAD, LOCK_DEADLOCK)
        or _is_sqlite_busy(error)
    )


def is_temporary(error: BaseException) -> bool:
    """Whether the same may well succeed later: a conflict, a time-out, or a database that can't be reached now."""
    if not isinstance(error, Error):
        return False
    state = _sqlstate(error)
    return (
        is_conflict(error)
        or state in TEMPORARY_STATES
        or (isinstance(state, str) and state[:2] in TEMPORARY_CLASSES)
        or _number(error) in TEMPORARY_NUMBERS
        or _is_lost_connection(error)
    )


def _is_lost_connection(error: Error) -> bool:
    """PostgreSQL's driver has no SQLSTATE for what it did not hear from the server."""
    return isinstance(error, OperationalError) and getattr(error.__cause__, "sqlstate", "") is None


def _sqlstate(error: Error) -> Any:
    return getattr(error.__cause__, "sqlstate", None)


def _number(error: Error) -> Any:
    return error.args[0] if error.args else None


def _is_sqlite_busy(error: Error) -> bool:
    """The extended codes, as that of a snapshot that is too old to write, have the plain one in their last byte."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
