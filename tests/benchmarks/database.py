"""A PostgreSQL database for each that is measured, beside the one that DATABASE_URL names."""

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

    def settle(self) -> None:
        """So that what filled the tables doesn't slow what comes next."""
        self.execute("VACUUM (ANALYZE)")

    def checkpoint(self) -> None:
        self.execute("CHECKPOINT")

    def is_idle(self) -> bool:
        """Whether no request is being worked on."""
        statement = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{self.name}' AND state <> 'idle'"
        return not self.execute(statement, within="postgres")

    def postmaster(self) -> int:
        """The process that is the parent of all others of a PostgreSQL on this machine."""
        with self._connected(self.name) as connection:
            return machine.parent_of(connection.info.backend_pid)

    def execute(self, statement: str, *, within: str = "") -> list[tuple[Any, ...]]:
        with self._connected(within or self.name) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _connected(self, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        where = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        return psycopg.connect(**where, dbname=name, autocommit=True)
