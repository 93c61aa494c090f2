"""Short write transactions for long tasks, so that requests wait only briefly for their locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, sleep

from django.db import transaction

FIRST_ROWS = 200
MIN_ROWS = 100  # A transaction with fewer rows costs hardly less.


class AdaptiveBatch:
    """Batch size that follows the time of the previous transactions, so that each takes about `seconds`.

    After each transaction it pauses as long as the transaction took. Without the pause, the task would take the lock
    that it has just released before any request that waits for it.
    """

    seconds = 0.025

    def __init__(self, *, using: str, max_rows: int) -> None:
        self.rows = min(FIRST_ROWS, max_rows)
        self.using = using
        self._max_rows = max_rows

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Open a transaction in which the caller writes about `rows` rows.

        Raise RuntimeError within another transaction, because that one would keep the locks.
        """
        started_at = perf_counter()
        with transaction.atomic(using=self.using, durable=True):
            yield
        duration = perf_counter() - started_at
        factor = min(self.seconds / duration, 2)  # At most double, because the next rows may be larger.
        self.rows = min(max(int(self.rows * factor), MIN_ROWS), self._max_rows)
        sleep(duration)
