from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models, router, transaction
from django.db.models import F, Q
from django.db.models.lookups import IsNull
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import ids
from conversations.conf import app_settings
from conversations.db.aliases import write_alias
from conversations.db.fields import BytewiseCharField, VerbatimJSONField
from conversations.db.fields.indexes import NotNullIndex
from conversations.db.fields.json import MemberText
from conversations.db.retry import retry_on_conflict
from conversations.models.access_record import AccessRecord, Actor
from conversations.schema.end_user import MAX_END_USER_LENGTH
from conversations.schema.query.nodes import MetadataCondition, Query
from conversations.search.predicates import build_q, value_condition

MAX_USERNAME_LENGTH = 255
PART_BYTES = 1024 * 1024


class DeletedConversationQuerySet(models.QuerySet["DeletedConversation"]):
    def overdue(self) -> DeletedConversationQuerySet:
        """Filter for conversations that were deleted more than CONVERSATIONS_RESTORE_DAYS ago."""
        return self.filter(deleted_at__lte=timezone.now() - timedelta(days=app_settings.restore_days))

    def filter_by_query(self, query: Query) -> DeletedConversationQuerySet:
        """Filter by metadata, the time of creation and the owner. No index leads to the metadata of these rows."""

        def metadata(condition: MetadataCondition) -> Q:
            value = MemberText(F("metadata"), condition.key)
            return Q(IsNull(value, False)) & value_condition(condition, value)

        return self.filter(build_q(query, metadata=metadata, id_name="conversation_id"))

    def lock(self) -> int:
        """Lock the rows by writing to them, and return their number."""
        return self.update(item_count=F("item_count"))

    @retry_on_conflict
    def delete_with_parts(self, *, deleted_by: Actor | None = None) -> int:
        """Delete the rows that are not on legal hold with their parts, and return the number of conversations.

        The access log gets an entry for each if `deleted_by` is given, and forgets their metadata.
        """
        copies = self.using(write_alias(self))
        with transaction.atomic(using=copies.db):
            copies.lock()  # Otherwise a row could be restored meanwhile.
            rows = dict(copies.filter(is_held=False).values_list("pk", "conversation_id"))
            ids = list(rows.values())
            records = AccessRecord.objects.using(router.db_for_write(AccessRecord))
            records.forget_details(ids)
            if deleted_by:
                purge = AccessRecord.Action.PURGE
                for each in ids:
                    records.record(user=deleted_by, action=purge, conversation_id=each, conversation_count=1)
            return (
                copies.model._base_manager.using(copies.db)
                .filter(pk__in=rows)
                .delete()[1]
                .get(self.model._meta.label, 0)
            )


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
    end_user = BytewiseCharField(_("end user"), max_length=MAX_END_USER_LENGTH, null=True, blank=True)
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

    is_held = models.BooleanField(_("on legal hold"), default=False, editable=False)

    objects = DeletedConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("deleted conversation")
        verbose_name_plural = _("deleted conversations")
        default_permissions = ("view", "delete")
        # Lists are in the order of deletion, because primary keys ascend with it.
        indexes = [
            models.Index(fields=["conversation_id"], name="conversations_deleted_conv_id"),
            models.Index(fields=["owner", "id"], name="conversations_deleted_owner"),
            NotNullIndex(fields=["end_user", "owner", "id"], name="conversations_deleted_end_user"),
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
