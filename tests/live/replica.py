"""The streaming replica of `.ci/with-replica`."""

import os
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from conversations.conf import app_settings
from tests.waiting import wait_until


def query_value(name: str, statement: str) -> Any:
    """Return the only value that the statement selects, on the server of this environment variable."""
    import psycopg  # not installed for tests without PostgreSQL

    url = urlsplit(os.environ[name])._replace(path="/postgres").geturl()
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        return connection.execute(statement).fetchone()[0]


def wait_for_replay() -> None:
    """Wait until the replica, if there is one, has all that was committed so far."""
    if not app_settings.replica:
        return
    position = query_value("DATABASE_URL", "SELECT pg_current_wal_insert_lsn()::text")
    wait_until(lambda: query_value("DATABASE_REPLICA_URL", f"SELECT pg_last_wal_replay_lsn() >= '{position}'"))
