from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from math import inf
from time import monotonic

from conversations.db.timeouts import time_limit
from conversations.schema.query.nodes import Query, is_positive


class QueryBudget:
    """How long a page may look for what no index leads to, from its first look on and in all of them together."""

    def __init__(self, query: Query, *, seconds: float, using: str) -> None:
        self._is_limited = not is_positive(query)
        self._seconds, self._using = seconds, using
        self._end: float | None = None

    def limit(self, seconds: float = inf) -> AbstractContextManager[None]:
        """For one of the looks, which raises `QueryTimeout`. Where an index leads to each hit there is none."""
        if not self._is_limited:
            return nullcontext()
        if self._end is None:
            self._end = monotonic() + self._seconds
        return time_limit(max(0, min(seconds, self._end - monotonic())), using=self._using)
