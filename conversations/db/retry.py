import random
import time
from collections.abc import Callable
from copy import copy
from functools import wraps
from itertools import count
from typing import Any, ParamSpec, TypeVar

from django.db import connections, models

from conversations.db.errors import is_conflict

ATTEMPTS = 30
SECONDS = 5.0  # after which none is begun: what waited for a lock until its time-out has waited enough
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.25  # seconds, of which a random part is waited, so that rivals come apart

P = ParamSpec("P")
T = TypeVar("T")


def retry_on_conflict(verb: Callable[P, T]) -> Callable[P, T]:
    """Run the verb again where its transaction was lost to a parallel one.

    Not within an outer transaction, all of which is lost then: whoever began it has to repeat it. A verb that fails
    leaves the instance that it belongs to, its first argument, with the values that it had.
    """

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        instance = args[0] if args and isinstance(args[0], models.Model) else None
        values = {**vars(instance), "_state": copy(instance._state)} if instance else {}
        begun_at = time.monotonic()
        for attempt in count(1):
            try:
                return verb(*args, **kwargs)
            except Exception as error:
                if instance:
                    _restore(instance, values)
                is_late = attempt == ATTEMPTS or time.monotonic() - begun_at > SECONDS
                if is_late or not is_conflict(error) or _is_in_transaction():
                    raise
            time.sleep(random.uniform(0, min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)))  # noqa: S311
        raise AssertionError("unreachable")

    return run


def _restore(instance: models.Model, values: dict[str, Any]) -> None:
    """None of the values is missing meanwhile: other threads may have the same instance."""
    vars(instance).update(values)
    for name in vars(instance).keys() - values.keys():
        del vars(instance)[name]


def _is_in_transaction() -> bool:
    return any(connection.in_atomic_block for connection in connections.all(initialized_only=True))
