"""How much a long task writes at a time, so that nobody waits long for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, sleep

from django.db import transaction

FIRST, FEWEST = 200, 100  # rows: of fewer a transaction costs hardly less


class AdaptiveBatch:
    """Transactions of as many rows as take `seconds`, learnt from those before, and between them as long a pause.

    The pause is for those who wait for a lock: whoever has just given one up would else be the first to take it again.
    """

    seconds = 0.025

    def __init__(self, *, using: str, most: int) -> None:
        self.rows = min(FIRST, most)
        self.using = using
        self._most = most

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """To be left when `rows` rows are written. It can't be part of another one, which would keep the locks."""
        start = perf_counter()
        with transaction.atomic(using=self.using, durable=True):
            yield
        took = perf_counter() - start
        factor = min(self.seconds / took, 2)  # no more, for the next rows may be larger ones
        self.rows = min(max(int(self.rows * factor), FEWEST), self._most)
        sleep(took)
