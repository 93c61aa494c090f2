from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

# A process that ends in the middle of a task keeps it for at most this long.
LEASE = timedelta(minutes=5)


class PeriodicTaskQuerySet(models.QuerySet["PeriodicTask"]):
    def claim(self, name: str) -> str | None:
        """Return the token of a lease of the task, or None if it is not due or another process has it."""
        now, token = timezone.now(), secrets.token_hex(16)
        is_free = models.Q(leased_until=None) | models.Q(leased_until__lte=now)
        due = self.filter(is_free, pk=name, due_at__lte=now)
        return token if due.update(leased_until=now + LEASE, token=token) else None

    def renew(self, name: str, *, token: str) -> bool:
        """Extend the lease. Return False if it was over and another process has the task."""
        return bool(self.filter(pk=name, token=token).update(leased_until=timezone.now() + LEASE))

    def release(self, name: str, *, token: str, due_at: datetime | None = None) -> None:
        """End the lease. The task is due again at a time, or at once for None."""
        changes = {} if due_at is None else {"due_at": due_at}
        self.filter(pk=name, token=token).update(leased_until=None, token="", **changes)


class PeriodicTask(models.Model):
    """When a task is due, and until when a process has a lease of it. All services of the database share the rows."""

    name = models.CharField(max_length=32, primary_key=True)
    due_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    token = models.CharField(max_length=32, blank=True, default="")  # random, of the lease

    objects = PeriodicTaskQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.name)
