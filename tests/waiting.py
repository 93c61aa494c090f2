"""Waiting for a condition, on a machine of any speed."""

import time
from collections.abc import Callable

from django.db import connection

SECONDS = 300  # generous: only a failing test waits so long

LOCK_WAITS = {
    # Not by pg_stat_activity, whose first content a transaction sees until its end.
    "postgresql": "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))",
    "mysql": "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
}


def wait_until(condition: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"condition not met within {seconds} seconds"
        time.sleep(0.01)


def is_waiting_for_lock() -> bool:
    """Whether a transaction waits for a lock, on PostgreSQL for one of this connection. SQLite cannot tell."""
    if connection.vendor == "mysql":
        time.sleep(0.2)  # InnoDB refreshes its table only if nobody has read it for a tenth of a second.
    with connection.cursor() as cursor:
        cursor.execute(LOCK_WAITS[connection.vendor])
        return cursor.fetchone()[0] > 0
