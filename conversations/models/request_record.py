from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import models, transaction
from django.utils import timezone

from conversations.db.fields import BytewiseCharField
from conversations.db.lost_commit import write_or_find
from conversations.db.request_keys.pending_record import PendingRecord

HASH_LENGTH = 32  # hex digits
KEY_LIFETIME = timedelta(hours=24)
RETRY_LIFETIME = timedelta(seconds=60)  # of a request without an Idempotency-Key


class RequestRecordQuerySet(models.QuerySet["RequestRecord"]):
    def claim(self, record: PendingRecord) -> RequestRecord | None:
        """Return the recent record of an equal request that was sent before this retry, or None.

        A record is claimed once for each count, so that equal requests of two programs need two records.
        """
        since = timezone.now() - RETRY_LIFETIME
        for row in self.filter(key=record.key, created_at__gt=since, retry_count__lt=record.retry_count).order_by("pk"):
            # Retries of a deletion have no row to lock, so that a parallel one may have claimed the record.
            unclaimed = self.filter(pk=row.pk, retry_count=row.retry_count)
            if unclaimed.update(retry_count=record.retry_count):
                return row
        return None

    def has(self, record: PendingRecord) -> bool:
        """Whether the record was stored."""
        return self.filter(key=record.key, number=record.number).exists()

    def drop_items(self, conversation_id: str, *, after: int = 0, up_to: int | None = None) -> None:
        """Delete the records whose answers show items of the conversation at the positions in (after, up_to]."""
        rows = self.filter(conversation=conversation_id, item_count__gt=0, last_position__gt=after)
        if up_to is not None:
            rows = rows.filter(last_position__lt=up_to + models.F("item_count"))
        rows.delete()


class RequestRecord(models.Model):
    """A write that was answered, so that a repetition of its request gets the same answer and writes nothing.

    It holds hashes, ids and positions, but no content: the answer is rendered from the rows. Deleting what the answer
    shows deletes the record.
    """

    id = models.BigAutoField(primary_key=True)
    # A hash of the owner and the Idempotency-Key, or of the whole request if it has no such key.
    key = BytewiseCharField(max_length=HASH_LENGTH)
    # 0 with an Idempotency-Key, which is therefore unique. Otherwise random, because equal requests are allowed.
    number = models.BigIntegerField()
    # A hash of the method, the URL and the body. Empty without an Idempotency-Key.
    fingerprint = BytewiseCharField(max_length=HASH_LENGTH, blank=True)
    # The conversation that the answer shows; null if the request deleted it. It needs no constraint, because writes and
    # deletions lock the conversation.
    conversation = models.ForeignKey(
        "conversations.Conversation",
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    # Plain integers, because the database would check that the numbers are positive with each write.
    last_position = models.IntegerField(default=0)
    item_count = models.IntegerField(default=0)  # The answer shows this many items, up to `last_position`.
    retry_count = models.IntegerField(default=0)  # the highest that was answered
    created_at = models.DateTimeField(default=timezone.now)

    objects = RequestRecordQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["key", "number"], name="conversations_record_unique_key")]
        indexes = [models.Index(fields=["conversation"], name="conversations_record_conv")]

    def __str__(self) -> str:
        return str(self.key)

    @staticmethod
    def has_expired(created_at: datetime) -> bool:
        return created_at <= timezone.now() - KEY_LIFETIME

    @property
    def is_expired(self) -> bool:
        return self.has_expired(self.created_at)


def write_recorded(
    write: Callable[[], object],
    is_written: Callable[[], bool],
    *,
    record: PendingRecord | None,
    shows: str | None,
    using: str,
) -> None:
    """Call `write` and store the record, in one transaction.

    If the connection is lost, return if they were stored, and raise the error otherwise. The record tells whether they
    were; without a record, `is_written` does. `shows` is the id of the conversation that the answer shows.
    """

    def run() -> bool:
        with transaction.atomic(using=using):
            if record:
                record.reserve(shows, using=using)
            write()
            if record:
                record.store(shows, using=using)
        return True

    def find() -> bool | None:
        return (RequestRecord.objects.using(using).has(record) if record else is_written()) or None

    write_or_find(run, find, using=using)
