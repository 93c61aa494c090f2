from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import ids
from conversations.conf import app_settings
from conversations.db.aliases import write_alias
from conversations.db.fields import BytewiseCharField, VerbatimJSONField
from conversations.db.retry import retry_on_conflict

MAX_USERNAME_LENGTH = 255


class DeletedConversationQuerySet(models.QuerySet["DeletedConversation"]):
    def overdue(self) -> DeletedConversationQuerySet:
        """Filter for conversations that were deleted more than CONVERSATIONS_RESTORE_DAYS ago."""
        return self.filter(deleted_at__lte=timezone.now() - timedelta(days=app_settings.restore_days))

    def lock(self) -> int:
        """Lock the rows by writing to them, and return their number."""
        return self.update(item_count=F("item_count"))

    @retry_on_conflict
    def delete_with_parts(self) -> int:
        """Delete the rows with their parts, and return the number of conversations."""
        copies = self.using(write_alias(self))
        with transaction.atomic(using=copies.db):
            copies.lock()  # Otherwise a row could be restored meanwhile.
            return copies.delete()[1].get(self.model._meta.label, 0)


class DeletedConversation(models.Model):
    """A conversation in the trash. Its content is in the parts only, so no search or list can find it."""

    id = models.BigAutoField(primary_key=True)
    conversation_id = BytewiseCharField(_("conversation"), max_length=ids.MAX_LENGTH)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("owner"),
        db_index=False,
    )
    owner_username = BytewiseCharField(_("owner"), max_length=MAX_USERNAME_LENGTH)
    created_at = models.DateTimeField(_("created at"))
    metadata = VerbatimJSONField(_("metadata"))
    item_count = models.PositiveIntegerField(_("items"))
    deleted_at = models.DateTimeField(_("deleted at"), default=timezone.now)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("deleted by"),
        db_index=False,
    )
    deleted_by_username = BytewiseCharField(_("deleted by"), max_length=MAX_USERNAME_LENGTH, blank=True)

    objects = DeletedConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("deleted conversation")
        verbose_name_plural = _("deleted conversations")
        default_permissions = ("view", "delete")
        # Lists are in the order of deletion, because primary keys ascend with it.
        indexes = [
            models.Index(fields=["conversation_id"], name="conversations_deleted_conv_id"),
            models.Index(fields=["owner", "id"], name="conversations_deleted_owner"),
            models.Index(fields=["deleted_at"], name="conversations_deleted_at"),
            models.Index(fields=["deleted_by"], name="conversations_deleted_by"),
        ]

    def __str__(self) -> str:
        return str(self.conversation_id)

    @property
    def restorable_until(self) -> datetime:
        return restorable_until(self.deleted_at)

    def content(self, *, using: str | None = None) -> Iterator[bytes]:
        """Yield the parts in order, with one at a time in memory."""
        number = 0
        while part := self.parts.using(using).filter(number__gt=number).order_by("number").first():
            yield bytes(part.content)
            number = part.number


class DeletedPart(models.Model):
    """A piece of a deleted conversation. All parts together are its export as a gzip stream."""

    id = models.BigAutoField(primary_key=True)
    deleted_conversation = models.ForeignKey(
        DeletedConversation, on_delete=models.CASCADE, related_name="parts", db_index=False
    )
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["deleted_conversation", "number"], name="conversations_deleted_part_unique_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.deleted_conversation_id} {self.number}"


def restorable_until(deleted_at: datetime) -> datetime:
    return deleted_at + timedelta(days=app_settings.restore_days)
