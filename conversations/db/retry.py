"""Retry of a verb whose transaction conflicts with a parallel one."""

import random
import time
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any, ParamSpec, TypeVar

from django.db import connections, models

from conversations.db.errors import is_conflict

ATTEMPTS = 30
MAX_SECONDS = 5.0  # No attempt starts later, so that a verb that waited for a lock until its time-out is not repeated.
MIN_PAUSE, MAX_PAUSE = 0.01, 0.25  # seconds; a random part of it is slept, so that rival transactions do not meet again

P = ParamSpec("P")
T = TypeVar("T")


def retry_on_conflict(verb: Callable[P, T]) -> Callable[P, T]:
    """Run the verb again, with a growing random pause, if its transaction conflicted with a parallel one.

    Within an outer transaction the conflict is raised: all of that transaction was rolled back, so that its own caller
    has to repeat it. If the verb fails, the model instance that is its first argument gets its previous values back.
    """

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        instance = args[0] if args and isinstance(args[0], models.Model) else None
        values = _values(instance) if instance else ({}, {})
        started_at = time.monotonic()
        for attempt in count(1):
            try:
                return verb(*args, **kwargs)
            except Exception as error:
                if instance:
                    _restore(instance, values)
                is_late = attempt == ATTEMPTS or time.monotonic() - started_at > MAX_SECONDS
                if is_late or not is_conflict(error) or _is_in_transaction():
                    raise
            time.sleep(random.uniform(0, min(MIN_PAUSE * 2 ** (attempt - 1), MAX_PAUSE)))  # noqa: S311
        raise AssertionError("unreachable")

    return run


def _values(instance: models.Model) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of an instance and of its state. `copy.copy` takes five times as long."""
    return vars(instance).copy(), vars(instance._state).copy()


def _restore(instance: models.Model, values: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Restore the values without clearing them first, because another thread may be using the instance."""
    for current, previous in zip((vars(instance), vars(instance._state)), values, strict=True):
        current.update(previous)
        for name in current.keys() - previous.keys():
            del current[name]


def _is_in_transaction() -> bool:
    return any(connection.in_atomic_block for connection in connections.all(initialized_only=True))
