from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations.db.fields import BytewiseCharField, LongJSONField
from conversations.db.fields.cascade import CascadeForeignKey, CascadeOneToOneField
from conversations.models import Conversation, RequestRecord

TOKEN_LENGTH = 32  # hex digits
LEASE_LIFETIME = timedelta(seconds=60)


class LeaseQuerySet(models.QuerySet["Lease"]):
    def renew(self, token: str) -> bool:
        """Extend the lease, and return whether it still exists."""
        return bool(self.filter(token=token).update(expires_at=timezone.now() + LEASE_LIFETIME))


class Lease(models.Model):
    """The right of one request to add the next turn to a conversation.

    The process that has it renews it. The lease of a process that died expires.
    """

    conversation = CascadeOneToOneField(
        Conversation, on_delete=models.CASCADE, related_name="+", db_constraint=False, primary_key=True
    )
    token = BytewiseCharField(max_length=TOKEN_LENGTH)
    # The key of the request's record (see `RequestRecord`). It identifies a repetition of the request.
    request_key = BytewiseCharField(max_length=TOKEN_LENGTH, blank=True, default="")
    expires_at = models.DateTimeField()

    objects = LeaseQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["token"], name="conversations_lease_token")]

    def __str__(self) -> str:
        return str(self.token)

    @property
    def is_expired(self) -> bool:
        return bool(self.expires_at <= timezone.now())


class TurnStatus(models.TextChoices):
    COMPLETED = "completed", _("Completed")
    INCOMPLETE = "incomplete", _("Incomplete")
    FAILED = "failed", _("Failed")


class Turn(models.Model):
    """A model call that belongs to a conversation. A failed one has no items.

    It holds positions and figures, but no content: its output is the `output_count` items up to `last_position`.
    """

    id = models.BigAutoField(primary_key=True)
    conversation = CascadeForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    conversation_id: str
    token = BytewiseCharField(max_length=TOKEN_LENGTH, unique=True)  # of the lease
    status = models.CharField(max_length=16, choices=TurnStatus.choices)
    error_code = models.CharField(max_length=64, blank=True, default="")
    model = models.CharField(max_length=200, blank=True, default="")
    input_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    last_position = models.PositiveIntegerField(default=0)
    output_count = models.PositiveIntegerField(default=0)
    has_upstream_ids = models.BooleanField(default=False)  # OpenAI has stored the output, and knows it by its ids.
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()

    objects: ClassVar[models.Manager[Turn]] = models.Manager()

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["conversation", "last_position"], name="conversations_turn_conv"),
            models.Index(fields=["status", "finished_at"], name="conversations_turn_status"),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id} {self.status}"

    @property
    def duration(self) -> timedelta:
        return self.finished_at - self.started_at


class StoredResponseQuerySet(models.QuerySet["StoredResponse"]):
    def for_record(self, record: RequestRecord) -> StoredResponse:
        return self.select_related("turn__conversation").get(record=record.pk)


class StoredResponse(models.Model):
    """The response object of a turn without its output, for repetitions of the request.

    It is deleted with the record of the request, and so with any item that the response may show.
    """

    turn = CascadeOneToOneField(Turn, on_delete=models.CASCADE, related_name="+", db_constraint=False, primary_key=True)
    record = CascadeForeignKey(RequestRecord, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    data = LongJSONField(default=dict)

    objects = StoredResponseQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)

    def response_object(self) -> dict[str, Any]:
        turn = self.turn
        items = turn.conversation.items.filter(
            position__gt=turn.last_position - turn.output_count, position__lte=turn.last_position
        )
        return {**self.data, "output": list(items.order_by("position").values_list("data", flat=True))}
