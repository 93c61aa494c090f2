"""Time budget of a page for searches that no index can answer."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from math import inf
from time import monotonic

from conversations.db.timeouts import time_limit
from conversations.schema.query.nodes import EVERYTHING, Query, is_index_only
from conversations.search.activity_order import OrderBy


class QueryBudget:
    """Time that all queries of one page share, from the first of them on, to search for matches of `query`.

    A query whose matches an index finds has no limit, unless they have to be read in another order.
    """

    def __init__(self, query: Query, *, seconds: float, using: str, order_by: OrderBy = "created_at") -> None:
        is_ordered = order_by == "created_at" or query == EVERYTHING
        self._is_limited = not (is_ordered and is_index_only(query))
        self._seconds, self._using = seconds, using
        self._end: float | None = None

    def limit(self, seconds: float = inf) -> AbstractContextManager[None]:
        """Return a context manager that raises `QueryTimeout` after `seconds`, or when the budget is used up."""
        if not self._is_limited:
            return nullcontext()
        if self._end is None:
            self._end = monotonic() + self._seconds
        return time_limit(max(0, min(seconds, self._end - monotonic())), using=self._using)
