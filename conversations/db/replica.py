"""Reads from a streaming replica of PostgreSQL, but never older ones than what their owner has written.

Each write, once it is committed, leaves a new token under its owner's key in the cache, and then the position that the
primary's write-ahead log has by now: as soon as the replica has replayed that much, it has the write. The position is
good for the token that it names. Where writers meet, and the two don't fit, the reader asks the primary for a later
one: of positions alone an earlier one could take the place of a later one, and hide a write.
"""

import logging
import time
from collections.abc import Callable
from functools import partial, wraps
from secrets import token_hex
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, models, transaction

from conversations.conf import app_settings
from conversations.db.database_key import database_key
from conversations.db.errors import is_temporary

KEPT_SECONDS = 24 * 60 * 60  # a replica that is further behind may show an owner less than what they wrote
AWAY_SECONDS = 5  # for which a replica that did not answer is not asked again

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

_away_until: dict[str, float] = {}  # by alias


class ReplicaRouter:
    """For DATABASE_ROUTERS. What was read from the replica is written to the primary; nothing is migrated there."""

    def db_for_write(self, model: type[models.Model], instance: models.Model | None = None, **hints: Any) -> str | None:
        replica = app_settings.replica
        return DEFAULT_DB_ALIAS if replica and instance and instance._state.db == replica else None

    def allow_relation(self, one: models.Model, other: models.Model, **hints: Any) -> bool | None:
        return True if {one._state.db, other._state.db} <= {DEFAULT_DB_ALIAS, app_settings.replica} else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db == app_settings.replica else None


def database_to_read(owner_id: Any) -> str | None:
    """Return the alias of the database for reads that no write depends on, or None if there is no replica.

    This is the primary while the replica lacks a write of this owner or can't be reached, and also while the two have
    different schemas selected.
    """
    replica = app_settings.replica
    if not replica:
        return None
    if database_key(replica)[1] != database_key(DEFAULT_DB_ALIAS)[1]:
        return DEFAULT_DB_ALIAS  # The replica would show the rows of another tenant.
    if _away_until.get(replica, 0.0) > time.monotonic():
        return DEFAULT_DB_ALIAS
    try:
        position = _position(_key(owner_id))
    except Exception:  # of whatever cache it is, without which nobody knows what was written
        logger.exception("the cache can't be read: reading from the primary")
        return DEFAULT_DB_ALIAS
    return replica if _has_replayed(replica, position) else DEFAULT_DB_ALIAS


def track_owner_writes(verb: Callable[P, T]) -> Callable[P, T]:
    """Record, on commit, that the decorated method wrote for the owner of its instance or of the one it returns."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        result = verb(*args, **kwargs)
        if app_settings.replica:
            written: Any = args[0] if isinstance(args[0] if args else None, models.Model) else result
            transaction.on_commit(partial(_note, _key(written.owner_id)))
        return result

    return run


def _note(key: str) -> None:
    token = token_hex(8)
    try:
        cache.set(key, token, KEPT_SECONDS)
        _note_position(key, token)
    except Exception:  # the write is done, and is not to be repeated
        logger.exception("the write can't be noted: for a moment its owner may read what was there before")


def _note_position(key: str, token: str) -> str:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
        position = str(cursor.fetchone()[0])
    cache.set(_key_of_position(key), (token, position), KEPT_SECONDS)
    return position


def _position(key: str) -> str | None:
    """Return the position in the log by which the owner's recent writes are complete, or None without any."""
    key_of_position = _key_of_position(key)
    kept = cache.get_many([key, key_of_position])
    token = kept.get(key)
    noted_token, position = kept.get(key_of_position, (None, None))
    return position if token is None or token == noted_token else _note_position(key, token)


def _has_replayed(replica: str, position: str | None) -> bool:
    connection = connections[replica]
    try:
        if position is None:
            connection.close_if_health_check_failed()
            connection.ensure_connection()
            return True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [position])
            return bool(cursor.fetchone()[0])
    except DatabaseError as error:
        if not is_temporary(error):
            raise
        _away_until[replica] = time.monotonic() + AWAY_SECONDS
        logger.warning("the replica can't be reached, reading from the primary: %s", error)
        return False


def _key(owner_id: Any) -> str:
    """Return the cache key of an owner's writes. Owners of different tenants may have the same id."""
    alias, schema = database_key(DEFAULT_DB_ALIAS)
    return ":".join(["conversations:written", *(quote(str(part), safe="") for part in (alias, schema, owner_id))])


def _key_of_position(key: str) -> str:
    return f"{key}:position"
