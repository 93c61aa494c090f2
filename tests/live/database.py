import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection, connections
from pytest_django.plugin import DjangoDbBlocker

ALIAS = "live"


class ScratchDatabase:
    """A database outside of the suite's transactions, of the kind that the suite runs on."""

    def __init__(self, directory: Path, blocker: DjangoDbBlocker) -> None:
        self._blocker = blocker
        self._name = f"conversations_live_{secrets.token_hex(4)}"
        if connection.vendor == "sqlite":
            self._name = str(directory / f"{self._name}.sqlite3")
            self.url = f"sqlite:///{self._name}"
        else:
            self.url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{self._name}").geturl()

    def create(self) -> None:
        if connection.vendor != "sqlite":
            self._execute(f"CREATE DATABASE {self._name}{' CHARACTER SET utf8mb4' * (connection.vendor == 'mysql')}")

    def drop(self) -> None:
        if connection.vendor != "sqlite":
            self._execute(f"DROP DATABASE {self._name}{' WITH (FORCE)' * (connection.vendor == 'postgresql')}")

    @contextmanager
    def opened(self) -> Iterator[str]:
        """The alias under which the ORM finds it."""
        connections.databases[ALIAS] = {**connections.databases["default"], "NAME": self._name}
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
