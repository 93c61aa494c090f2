"""Find out whether a write was stored when the connection was lost before the database had answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connections

from conversations.db.errors import is_lost_connection, is_temporary

# Seconds before each look-up. The server may still be committing when the connection is lost.
PAUSES = (0.0, 0.1, 0.4)

T = TypeVar("T")


def write_or_find(write: Callable[[], T], find: Callable[[], T | None], *, using: str) -> T:
    """Return the result of `write`, or of `find` on a new connection if the connection was lost and it was stored.

    Raise the error if `find` returns None until the last look-up. Within an outer transaction, raise it at once:
    nothing was stored.
    """
    try:
        return write()
    except (InterfaceError, OperationalError) as error:
        if connections[using].in_atomic_block or not is_lost_connection(error):
            raise
        stored = _find(find, using=using)
        if stored is None:
            raise
        return stored


def _find(find: Callable[[], T | None], *, using: str) -> T | None:
    for pause in PAUSES:
        time.sleep(pause)
        connections[using].close()
        try:
            if (stored := find()) is not None:
                return stored
        except (InterfaceError, OperationalError) as error:
            if not is_temporary(error):
                raise
    return None
