import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection, connections
from pytest_django.plugin import DjangoDbBlocker

from tests.waiting import SECONDS

ALIAS = "live"


class ScratchDatabase:
    """A database outside of the suite's transactions, on the engine that the suite runs on."""

    def __init__(self, directory: Path, blocker: DjangoDbBlocker) -> None:
        self._blocker = blocker
        self.name = f"conversations_live_{secrets.token_hex(4)}"
        if connection.vendor == "sqlite":
            self.name = str(directory / f"{self.name}.sqlite3")
            self.url = f"sqlite:///{self.name}?timeout={SECONDS}"
        else:
            self.url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{self.name}").geturl()

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a service that uses this database."""
        variables = {"DATABASE_URL": self.url}
        if replica := os.environ.get("DATABASE_REPLICA_URL"):
            variables["DATABASE_REPLICA_URL"] = urlsplit(replica)._replace(path=f"/{self.name}").geturl()
        return variables

    def create(self) -> None:
        if connection.vendor != "sqlite":
            self._execute(f"CREATE DATABASE {self.name}{' CHARACTER SET utf8mb4' * (connection.vendor == 'mysql')}")

    def drop(self) -> None:
        if connection.vendor != "sqlite":
            self._execute(f"DROP DATABASE IF EXISTS {self.name}{' WITH (FORCE)' * (connection.vendor == 'postgresql')}")

    def limit_lock_waits(self, seconds: int) -> None:
        """Set the lock time-out of new connections. PostgreSQL only."""
        self._execute(f"ALTER DATABASE {self.name} SET lock_timeout = '{seconds}s'")

    def refuse_connections(self) -> None:
        """Refuse new connections, and end the existing ones. PostgreSQL only."""
        self._execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        self._execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'")

    def accept_connections(self) -> None:
        self._execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")

    @contextmanager
    def open(self) -> Iterator[str]:
        """Yield an alias for the ORM, usable until the end of the block."""
        default = connections.databases["default"]
        options = default["OPTIONS"] | ({"timeout": SECONDS} if connection.vendor == "sqlite" else {})
        connections.databases[ALIAS] = {**default, "NAME": self.name, "OPTIONS": options}
        try:
            with self._blocker.unblock():
                yield ALIAS
        finally:
            connections[ALIAS].close()
            del connections[ALIAS]
            del connections.databases[ALIAS]

    def _execute(self, statement: str) -> None:
        with self._blocker.unblock(), connection._nodb_cursor() as cursor:
            cursor.execute(statement)
