"""The periodic deletion of failed turns, and of leases that dead processes have left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db import router
from django.utils import timezone

from conversations.db.batching import AdaptiveBatch
from conversations.responses.models import Lease, Turn, TurnStatus

FAILED_LIFETIME = timedelta(days=30)
EXPIRED_LIFETIME = timedelta(hours=1)  # A turn whose process stalled for less than that may still finish.
MAX_TURNS = 5_000  # per transaction


def purge_turns() -> Iterator[int]:
    """Delete failed turns after 30 days, the oldest first. Yield after each batch how many it deleted."""
    now = timezone.now()
    turns = Turn.objects.using(router.db_for_write(Turn))
    Lease.objects.using(turns.db).filter(expires_at__lt=now - EXPIRED_LIFETIME).delete()
    batch = AdaptiveBatch(using=turns.db, max_rows=MAX_TURNS)
    overdue = turns.filter(status=TurnStatus.FAILED, finished_at__lt=now - FAILED_LIFETIME).order_by("finished_at")
    while keys := list(overdue.values_list("pk", flat=True)[: batch.rows]):
        with batch.transaction():
            turns.filter(pk__in=keys).delete()
        yield len(keys)
