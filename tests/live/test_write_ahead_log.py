import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection, connections

MEGABYTE = 1024 * 1024


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the file of SQLite's log")
def test_write_ahead_log_of_sqlite_is_cut_after_a_long_read(database):
    log = Path(f"{database.name}-wal")
    with database.open() as alias, closing(sqlite3.connect(database.name)) as reader:
        cursor = connections[alias].cursor()
        cursor.execute("CREATE TABLE filler (value BLOB)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM filler").fetchall()
        for _ in range(20):
            cursor.execute("INSERT INTO filler VALUES (randomblob(1048576))")
        assert log.stat().st_size > 20 * MEGABYTE
        reader.rollback()
        for _ in range(2):
            cursor.execute("INSERT INTO filler VALUES (randomblob(1048576))")
        assert log.stat().st_size <= 16 * MEGABYTE
