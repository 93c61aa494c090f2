"""Checks and locks of a service that starts."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

POSTGRESQL_LOCK = 7_300_914_852_066_811_407  # the key of an advisory lock, chosen at random
MYSQL_SECONDS = 365 * 24 * 60 * 60  # MariaDB and MySQL have no common value for "wait forever"


@contextmanager
def startup_lock() -> Iterator[None]:
    """Wait until no other service prepares the database, and keep others waiting until the end of the block."""
    connection = connections[DEFAULT_DB_ALIAS]
    locks = {"postgresql": _postgresql_lock, "mysql": _mysql_lock, "sqlite": _directory_lock}
    with locks[connection.vendor](connection):
        yield


@contextmanager
def _postgresql_lock(connection: Any) -> Iterator[None]:
    """Hold a transaction's lock on another connection. A session's lock would not work through PgBouncer."""
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        for limit in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"SET LOCAL {limit} = 0")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [POSTGRESQL_LOCK])
        yield


@contextmanager
def _mysql_lock(connection: Any) -> Iterator[None]:
    """Hold a lock of the whole server that is named after the database, on another connection."""
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, %s)", [connection.settings_dict["NAME"], MYSQL_SECONDS])
        yield


@contextmanager
def _directory_lock(connection: Any) -> Iterator[None]:
    """Lock the directory of SQLite's file. If a process closes the file itself, SQLite loses its locks of the file."""
    with ExitStack() as stack:
        with suppress(FileNotFoundError):  # SQLite will report it.
            directory = os.open(Path(connection.settings_dict["NAME"]).parent, os.O_RDONLY)
            stack.callback(os.close, directory)
            fcntl.flock(directory, fcntl.LOCK_EX)
        yield


def unknown_migrations() -> list[str]:
    """Return the applied migrations of the installed apps that the code does not have, because it is older."""
    loader = MigrationExecutor(connections[DEFAULT_DB_ALIAS]).loader
    known = set(loader.disk_migrations)
    for migration in loader.disk_migrations.values():
        known.update(migration.replaces)
    unknown = {key for key in loader.applied_migrations if key[0] in loader.migrated_apps} - known
    return sorted(".".join(key) for key in unknown)


def missing_migrations() -> list[str]:
    """Return the migrations that have not been applied."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
