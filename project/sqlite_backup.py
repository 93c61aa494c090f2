"""Backups of the SQLite database, and their restore, while the service runs."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

BUSY_SECONDS = 300  # to wait for a lock; each is held for as long as a transaction takes


class BackupError(Exception):
    """The reason, for the operator, why nothing was written."""


class Counts(NamedTuple):
    conversations: int
    items: int


def back_up(database: Path, file: Path) -> Counts:
    """Copy the database as it is now to a file, and replace the file when the copy is complete and was checked.

    The copy is one read transaction. Writes go on meanwhile and are not part of it.
    """
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with _open(database) as source:
        with closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # The copy needs no other file beside it.
            counts = _check(copy, part)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
    part.replace(file)
    return counts


def restore(file: Path, database: Path) -> Counts:
    """Replace everything in the database by the backup, in one transaction, and return what it has."""
    with _open(file, mode="ro") as source:
        counts = _check(source, file)
        with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as target:
            source.backup(target)
    return counts


@contextmanager
def _open(path: Path, *, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise BackupError(f"There is no file {path}.")
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as connection:
        yield connection


def _check(connection: sqlite3.Connection, path: Path) -> Counts:
    """Return the counts of a backup. Raise `BackupError` if it is damaged, or is no backup of this service."""
    try:
        [(result,)] = connection.execute("PRAGMA quick_check(1)")
        if result != "ok":
            raise BackupError(f"{path} is damaged: {result}")
        connection.execute("SELECT COUNT(*) FROM django_migrations")
        [row] = connection.execute(
            "SELECT (SELECT COUNT(*) FROM conversations_conversation), (SELECT COUNT(*) FROM conversations_item)"
        )
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{path} is no backup of this service: {error}") from error
    return Counts(*row)
