"""Reads from a streaming replica of PostgreSQL that always include the owner's own writes.

After each commit, the writer caches two values under its owner's key: a new token, and then the same token with the
current position of the primary's write-ahead log. A replica that has replayed the log up to that position has the
write. If parallel writers interleave, the two tokens differ, and the reader asks the primary for the position instead:
with positions alone, an earlier one could overwrite a later one and hide a write.
"""

import logging
import time
from collections.abc import Callable
from functools import partial, wraps
from secrets import token_hex
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, models, router, transaction

from conversations.conf import app_settings
from conversations.db.aliases import database_key
from conversations.db.errors import is_temporary

CACHE_SECONDS = 24 * 60 * 60  # Reads from a replica that is further behind may lack the owner's own writes.
UNREACHABLE_SECONDS = 5  # pause before the next read from a replica that could not be reached

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

_unreachable_until: dict[str, float] = {}  # monotonic time by alias


class ReplicaRouter:
    """Database router that sends writes of instances read from the replica to the primary, and migrates only there."""

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
    if _unreachable_until.get(replica, 0.0) > time.monotonic():
        return DEFAULT_DB_ALIAS
    try:
        position = _last_write_position(_key(owner_id))
    except Exception:  # The exception's class depends on the cache backend.
        logger.exception("The cache can't be read. Reading from the primary.")
        return DEFAULT_DB_ALIAS
    return replica if _has_replayed(replica, position) else DEFAULT_DB_ALIAS


def track_owner_writes(verb: Callable[P, T]) -> Callable[P, T]:
    """Record, on commit, a write for the owner of the result, or of the first argument if that is no instance."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        result = verb(*args, **kwargs)
        if app_settings.replica:
            instance: Any = result if isinstance(result, models.Model) else args[0]
            using = router.db_for_write(type(instance), instance=instance)
            transaction.on_commit(partial(_record_write, _key(instance.owner_id)), using=using)
        return result

    return run


def _record_write(key: str) -> None:
    token = token_hex(8)
    try:
        cache.set(key, token, CACHE_SECONDS)
        _record_position(key, token)
    except Exception:  # The write is committed, so an error must not make the caller repeat it.
        logger.exception("The cache can't be written. For a moment, the owner may read rows from before this write.")


def _record_position(key: str, token: str) -> str:
    """Cache and return the current position of the primary's write-ahead log."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
        position = str(cursor.fetchone()[0])
    cache.set(_key_of_position(key), (token, position), CACHE_SECONDS)
    return position


def _last_write_position(key: str) -> str | None:
    """Return the position in the log by which the owner's recent writes are complete, or None without any."""
    key_of_position = _key_of_position(key)
    cached = cache.get_many([key, key_of_position])
    token = cached.get(key)
    token_of_position, position = cached.get(key_of_position, (None, None))
    return position if token is None or token == token_of_position else _record_position(key, token)


def _has_replayed(replica: str, position: str | None) -> bool:
    """Whether the replica can be reached and has replayed the log up to the position."""
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
        _unreachable_until[replica] = time.monotonic() + UNREACHABLE_SECONDS
        logger.warning("The replica can't be reached. Reading from the primary: %s", error)
        return False


def _key(owner_id: Any) -> str:
    """Return the cache key of an owner's writes. Owners of different tenants may have the same id."""
    alias, schema = database_key(DEFAULT_DB_ALIAS)
    return ":".join(["conversations:written", *(quote(str(part), safe="") for part in (alias, schema, owner_id))])


def _key_of_position(key: str) -> str:
    return f"{key}:position"
