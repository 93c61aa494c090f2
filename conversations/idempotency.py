"""Repeated requests: each write happens once, and its repetitions get the first answer again.

A verb stores a `RequestRecord` in the transaction of its write. The record's key is unique, so that the database
refuses a second write with the same Idempotency-Key, even if both requests arrive at the same time (see
`PendingRecord.reserve`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from django.db import IntegrityError, router, transaction

from conversations.db.aliases import DatabaseKey, database_key
from conversations.db.batching import AdaptiveBatch
from conversations.db.lost_commit import write_or_find
from conversations.db.request_keys.pending_record import key_in_use
from conversations.db.retry import retry_on_conflict
from conversations.errors import APIError
from conversations.models import Conversation, PendingRecord, RequestRecord

MAX_RECORDS = 5_000  # per transaction

T = TypeVar("T")

# The keys of the requests that threads of this process are executing. Each method of a dictionary is atomic.
_keys: dict[tuple[DatabaseKey, str], PendingRecord] = {}


def run_once(
    verb: Callable[[PendingRecord | None], T],
    *,
    record: PendingRecord | None,
    replay: Callable[[RequestRecord], T],
    conversation_id: str | None = None,
) -> tuple[T, bool]:
    """Call the verb, which stores the record, or `replay` with the stored record of an equal request.

    `conversation_id` is the conversation that the verb changes, if it changes one.

    Return the result, and whether it was replayed. Raise `APIError` if the Idempotency-Key was used for another
    request, or if a request with it is being executed. Within this process, `_keys` tells; for other processes see
    `db.request_keys.key_lock`.
    """
    if record is None:
        return verb(None), False
    using = router.db_for_write(RequestRecord)
    if not record.has_key:
        if record.retry_count == 0:
            return verb(record), False
        return _run_retry(verb, record=record, replay=replay, conversation_id=conversation_id, using=using)
    entry = database_key(using), record.key
    if _keys.setdefault(entry, record) is not record:
        raise key_in_use()
    try:
        return _run_with_key(verb, record=record, replay=replay, using=using)
    finally:
        del _keys[entry]


def purge_records() -> Iterator[int]:
    """Delete expired records, the oldest first. Yield after each batch how many it deleted."""
    records = RequestRecord.objects.using(router.db_for_write(RequestRecord))
    batch = AdaptiveBatch(using=records.db, max_rows=MAX_RECORDS)
    # Ids ascend with time, so that no index of times is needed.
    while rows := list(records.order_by("pk").values_list("pk", "created_at")[: batch.rows]):
        keys = [pk for pk, created_at in rows if RequestRecord.has_expired(created_at)]
        if keys:
            with batch.transaction():
                records.filter(pk__in=keys).delete()
            yield len(keys)
        if len(keys) < len(rows):
            return


def _run_with_key(
    verb: Callable[[PendingRecord | None], T],
    *,
    record: PendingRecord,
    replay: Callable[[RequestRecord], T],
    using: str,
) -> tuple[T, bool]:
    if record.retry_count and (stored := _find(record, using=using)):
        return replay(stored), True
    try:
        return verb(record), False
    except (IntegrityError, APIError):
        # The key exists, or the first request has stored an item that can't be stored twice.
        stored = _find(record, using=using)
        if stored is None:
            raise
    if stored.is_expired:
        stored.delete(using=using)
        return verb(record), False
    return replay(stored), True


@retry_on_conflict
def _run_retry(
    verb: Callable[[PendingRecord | None], T],
    *,
    record: PendingRecord,
    replay: Callable[[RequestRecord], T],
    conversation_id: str | None,
    using: str,
) -> tuple[T, bool]:
    """Do the same for a retry without an Idempotency-Key.

    The lock of the conversation lets it wait for a request that was sent before and is still being executed.
    """

    def write() -> tuple[T, bool]:
        with transaction.atomic(using=using):
            Conversation.objects.using(using).filter(pk=conversation_id).lock()
            if stored := RequestRecord.objects.using(using).claim(record):
                return replay(stored), True
            return verb(record), False

    def find() -> tuple[T, bool] | None:
        stored = _find(record, using=using)
        return (replay(stored), False) if stored else None

    return write_or_find(write, find, using=using)


def find_answer(record: PendingRecord, *, using: str) -> RequestRecord | None:
    """Return the stored record of an equal request that was answered, or None if this one has to be executed.

    For a request that lasts longer than a transaction. Call this in one that holds the lock of the conversation. Raise
    `APIError` if the Idempotency-Key was used for another request.
    """
    if not record.has_key:
        return RequestRecord.objects.using(using).claim(record) if record.retry_count else None
    stored = _find(record, using=using)
    if stored and stored.is_expired:
        stored.delete(using=using)
        return None
    return stored


def _find(record: PendingRecord, *, using: str) -> RequestRecord | None:
    """Return the stored record with this key. Raise `APIError` if it belongs to another request."""
    stored = RequestRecord.objects.using(using).filter(key=record.key, number=record.number).first()
    if stored and not stored.is_expired and stored.fingerprint != record.fingerprint:
        raise key_reuse()
    return stored


def key_reuse() -> APIError:
    return APIError(
        "Invalid 'Idempotency-Key': it was used for a different request. Use a new key for each request.",
        param="Idempotency-Key",
        code="idempotency_key_reuse",
    )
