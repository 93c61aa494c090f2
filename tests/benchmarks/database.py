"""A PostgreSQL database for each target, beside the one that DATABASE_URL names."""

import os
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

from tests.benchmarks import machine

DEFAULT_URL = "postgres://127.0.0.1/conversations_benchmarks"


class Database:
    def __init__(self, suffix: str) -> None:
        parts = urlsplit(os.environ.get("DATABASE_URL", DEFAULT_URL))
        self.name = f"{parts.path.lstrip('/')}_{suffix}"
        self.url = parts._replace(path=f"/{self.name}").geturl()
        self.user, self.password = parts.username or os.environ.get("USER", "postgres"), parts.password or ""
        self.host, self.port = unquote(parts.hostname or "127.0.0.1"), parts.port or 5432

    def create(self) -> None:
        self.drop()
        self.execute(f"CREATE DATABASE {self.name}", within="postgres")

    def drop(self) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)", within="postgres")

    def vacuum(self) -> None:
        """Vacuum and analyze now, so that autovacuum does not do it during a measurement."""
        self.execute("VACUUM (ANALYZE)")

    def checkpoint(self) -> None:
        self.execute("CHECKPOINT")

    def is_idle(self) -> bool:
        """Whether no statement or transaction is active."""
        statement = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{self.name}' AND state <> 'idle'"
        return not self.execute(statement, within="postgres")

    def postmaster(self) -> int:
        """Return the process id of the server on this machine, the parent of all its processes."""
        with self._connect(self.name) as connection:
            return machine.parent_pid(connection.info.backend_pid)

    def execute(self, statement: str, *, within: str = "") -> list[tuple[Any, ...]]:
        with self._connect(within or self.name) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _connect(self, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        address = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        return psycopg.connect(**address, dbname=name, autocommit=True)
