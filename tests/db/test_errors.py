import errno
import sqlite3

import psycopg.errors
import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLiteWrapper

from conversations.db.errors import CONFLICT, STATEMENT_TIMEOUT, UNAVAILABLE, is_conflict, is_temporary


@pytest.mark.skipif(connection.vendor == "sqlite", reason="there is no server to be reached")
def test_unreachable_server_is_a_temporary_error_but_not_a_conflict(db):
    unreachable = connection.copy(alias="unreachable")
    unreachable.settings_dict.update(HOST="127.0.0.1", PORT="1")
    with pytest.raises(DatabaseError) as raised:
        unreachable.ensure_connection()
    assert is_temporary(raised.value)
    assert not is_conflict(raised.value)


def test_invalid_statement_is_not_a_temporary_error(db):
    with pytest.raises(DatabaseError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT one FROM nowhere")
    assert not is_temporary(raised.value)


def fill_sqlite(cursor):
    # The limit belongs to the connection, which other tests use too.
    [limit] = cursor.execute("PRAGMA max_page_count").fetchone()
    cursor.execute("PRAGMA max_page_count = 1")  # SQLite raises it to the current size.
    numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)"
    try:
        cursor.execute(f"CREATE TABLE filler AS {numbers} SELECT randomblob(1000000) FROM numbers")
    finally:
        cursor.execute(f"PRAGMA max_page_count = {limit}")


def fill_mysql_table(cursor):
    cursor.execute("SET SESSION max_heap_table_size = 16384")
    cursor.execute("CREATE TEMPORARY TABLE filler (value BINARY(200)) ENGINE = MEMORY")
    cursor.execute("SET SESSION max_heap_table_size = DEFAULT")
    for _ in range(12):
        cursor.execute("INSERT INTO filler SELECT 'x' UNION ALL SELECT value FROM filler")


@pytest.mark.skipif(connection.vendor == "postgresql", reason="the whole class of its codes is temporary")
def test_full_disk_is_a_temporary_error(db):
    fill = {"sqlite": fill_sqlite, "mysql": fill_mysql_table}[connection.vendor]
    with pytest.raises(OperationalError, match="full") as raised, transaction.atomic(), connection.cursor() as cursor:
        fill(cursor)
    assert is_temporary(raised.value)


def test_sqlite_file_that_cannot_be_opened_is_a_temporary_error(tmp_path, db):
    settings = connections.configure_settings({"default": {"NAME": str(tmp_path / "nowhere" / "x")}})["default"]
    missing = SQLiteWrapper({**settings, "ENGINE": "django.db.backends.sqlite3"}, "missing")
    with pytest.raises(OperationalError, match="unable to open") as raised:
        missing.ensure_connection()
    assert is_temporary(raised.value)


def error_from(cause, *args):
    """Return the exception that Django raises from one of a driver."""
    error = OperationalError(*args)
    error.__cause__ = cause
    return error


def sqlite_error(code):
    error = sqlite3.OperationalError()
    error.sqlite_errorcode = code
    return error_from(error)


def server_error(code):
    """Return the exception for an SQLSTATE of PostgreSQL or for a number of MariaDB."""
    return error_from(psycopg.errors.lookup(code)()) if isinstance(code, str) else error_from(None, code, "")


@pytest.mark.parametrize(
    "code",
    [
        "25006",  # read-only
        "53100",  # disk full
        "53200",  # out of memory
        "53300",  # too many connections
        "58030",  # input or output
        1021,  # disk full
        1026,  # a file could not be written
        1030,  # the storage engine failed
        1036,  # read-only table
        1114,  # table full
        1290,  # read-only server
    ],
)
def test_server_without_room_handles_or_write_access_has_a_temporary_error(code):
    assert is_temporary(server_error(code))
    assert not is_conflict(server_error(code))


@pytest.mark.parametrize("code", ["42P01", "23505", "58P01", 1146, 1062, 1064])
def test_error_of_a_statement_is_not_temporary(code):
    assert not is_temporary(server_error(code))


@pytest.mark.parametrize(
    ("code", "is_expected"),
    [
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_READONLY_DBMOVED, True),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, True),
        (sqlite3.SQLITE_IOERR_WRITE, True),
        (sqlite3.SQLITE_ERROR, False),
        (sqlite3.SQLITE_CORRUPT, False),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, False),
    ],
)
def test_temporary_errors_of_sqlite(code, is_expected):
    assert is_temporary(sqlite_error(code)) == is_expected


def test_process_without_file_handles_has_a_temporary_error(tmp_path):
    assert is_temporary(OSError(errno.EMFILE, "Too many open files"))
    assert not is_temporary(FileNotFoundError(errno.ENOENT, "No such file"))


def test_each_error_code_belongs_to_one_class():
    assert len(CONFLICT | STATEMENT_TIMEOUT | UNAVAILABLE) == len(CONFLICT) + len(STATEMENT_TIMEOUT) + len(UNAVAILABLE)


def test_error_from_outside_the_database_is_not_a_temporary_error():
    assert not is_temporary(OSError(2002, "refused"))
