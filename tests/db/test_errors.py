import errno

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


def test_process_without_file_handles_has_a_temporary_error(tmp_path):
    assert is_temporary(OSError(errno.EMFILE, "Too many open files"))
    assert not is_temporary(FileNotFoundError(errno.ENOENT, "No such file"))


def test_each_error_code_belongs_to_one_class():
    assert len(CONFLICT | STATEMENT_TIMEOUT | UNAVAILABLE) == len(CONFLICT) + len(STATEMENT_TIMEOUT) + len(UNAVAILABLE)


def test_error_from_outside_the_database_is_not_a_temporary_error():
    assert not is_temporary(OSError(2002, "refused"))
