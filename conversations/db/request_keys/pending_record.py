from __future__ import annotations

import secrets
from typing import Any

from django.db import connections
from django.utils import timezone

from conversations.db.request_keys import key_lock
from conversations.errors import APIError

TABLE = "conversations_requestrecord"


class PendingRecord:
    """The record of a request that is being executed: a `RequestRecord` that is not stored yet.

    Building and saving an instance of the model would take three times as long.
    """

    __slots__ = ("_stored_values", "created_at", "fingerprint", "key", "number", "retry_count")

    def __init__(self, key: str, *, number: int, fingerprint: str, retry_count: int) -> None:
        self.key = key
        self.number = number
        self.fingerprint = fingerprint
        self.retry_count = retry_count
        self.created_at = timezone.now()
        self._stored_values: tuple[Any, ...] | None = None

    @classmethod
    def with_key(cls, key: str, *, fingerprint: str, retry_count: int) -> PendingRecord:
        """Build the record of a request with an Idempotency-Key."""
        return cls(key, number=0, fingerprint=fingerprint, retry_count=retry_count)

    @classmethod
    def without_key(cls, key: str, *, retry_count: int) -> PendingRecord:
        """Build the record of a request that only the count of its retries identifies."""
        return cls(key, number=secrets.randbits(62) + 1, fingerprint="", retry_count=retry_count)

    @property
    def has_key(self) -> bool:
        return self.number == 0

    def reserve(self, conversation_id: str | None, *, using: str) -> None:
        """Store the record before the verb waits for the lock of a conversation; `store` completes it then.

        Raise `APIError` if another request with the same Idempotency-Key is being executed. Do nothing without a key,
        or where the database would wait anyway.
        """
        self._stored_values = None  # The verb may be executed again after a conflict.
        if self.has_key and key_lock.has_key_lock(using=using):
            # On MariaDB, a deletion of the conversation that holds its lock would wait for this row, as it deletes the
            # records of the conversation.
            is_seen_by_deletions = connections[using].vendor == "mysql"
            self._insert((None if is_seen_by_deletions else conversation_id, 0, 0), using=using)

    def store(self, conversation_id: str | None, *, using: str, last_position: int = 0, item_count: int = 0) -> None:
        """Store the record in the transaction of the write. See `RequestRecord` for the values.

        Raise `APIError` if another request with the same Idempotency-Key is being executed, and `IntegrityError` if the
        key exists.
        """
        values = (conversation_id, last_position, item_count)
        if self._stored_values is None:
            self._insert(values, using=using)
        elif values != self._stored_values:
            sql = f"UPDATE {TABLE} SET conversation_id = %s, last_position = %s, item_count = %s"  # noqa: S608
            where = connections[using].ops.quote_name("key")
            with connections[using].cursor() as cursor:
                cursor.execute(f"{sql} WHERE {where} = %s AND number = %s", [*values, self.key, self.number])
        self._stored_values = None

    def _insert(self, values: tuple[str | None, int, int], *, using: str) -> None:
        conversation_id, last_position, item_count = values
        row = {
            "key": self.key,
            "number": self.number,
            "fingerprint": self.fingerprint,
            "conversation_id": conversation_id,
            "last_position": last_position,
            "item_count": item_count,
            "retry_count": self.retry_count,
            "created_at": connections[using].ops.adapt_datetimefield_value(self.created_at),
        }
        locked_key = self.key if self.has_key else None
        if not key_lock.insert(TABLE, row, unique=("key", "number"), locked_key=locked_key, using=using):
            raise key_in_use()
        self._stored_values = values


def key_in_use() -> APIError:
    return APIError(
        "A request with the same 'Idempotency-Key' is still being executed. Please try again later.",
        status=409,
        param="Idempotency-Key",
        code="idempotency_key_in_use",
    )
