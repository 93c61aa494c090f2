"""What an error of the database means, beyond the class that Django gives it: each engine has numbers of its own."""

import sqlite3
from typing import Any

from django.db import Error

SERIALIZATION_FAILURE, DEADLOCK_DETECTED = "40001", "40P01"  # PostgreSQL's SQLSTATE
CHECKREAD, LOCK_DEADLOCK = 1020, 1213  # MariaDB's and MySQL's numbers


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction was given up for a parallel one, so that the same one may well succeed now."""
    if not isinstance(error, Error):
        return False
    return (
        _sqlstate(error) in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED)
        or _number(error) in (CHECKREAD, LOCK_DEADLOCK)
        or _is_sqlite_busy(error)
    )


def _sqlstate(error: Error) -> Any:
    return getattr(error.__cause__, "sqlstate", None)


def _number(error: Error) -> Any:
    return error.args[0] if error.args else None


def _is_sqlite_busy(error: Error) -> bool:
    """The extended codes, as that of a snapshot that is too old to write, have the plain one in their last byte."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
