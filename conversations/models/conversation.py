from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, router, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import errors, ids
from conversations.db.fields import BytewiseCharField, VerbatimJSONField
from conversations.db.replica import track_owner_writes
from conversations.db.retry import retry_on_conflict
from conversations.models import writer
from conversations.models.conversation_set import ConversationQuerySet
from conversations.models.item import Item
from conversations.search.item_text import ItemText, build_item_texts
from conversations.search.metadata_pair import MetadataPair

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def new_conversation_id() -> str:
    return ids.new_id(ids.CONVERSATION_PREFIX)


class Conversation(models.Model):
    """A list of items that belongs to a user. Write through the methods: they keep counters and index in step."""

    id = BytewiseCharField(
        _("id"), primary_key=True, max_length=ids.MAX_LENGTH, default=new_conversation_id, editable=False
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="conversations",
        verbose_name=_("owner"),
        db_index=False,
    )
    created_at = models.DateTimeField(_("created at"), editable=False)
    metadata = VerbatimJSONField(_("metadata"), default=dict, blank=True)
    item_count = models.PositiveIntegerField(_("items"), default=0, editable=False)
    last_position = models.PositiveIntegerField(default=0, editable=False)
    last_item_at = models.DateTimeField(_("last item at"), null=True, editable=False)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        permissions = [
            ("read_content", "Can read the content of conversations"),
            ("export_conversation", "Can export conversations"),
        ]
        indexes = [models.Index(fields=["owner", "id"], name="conversations_owner_id")]

    def __str__(self) -> str:
        return str(self.id)

    @classmethod
    @track_owner_writes
    @retry_on_conflict
    def create_with_items(
        cls,
        *,
        owner: AbstractBaseUser,
        metadata: Mapping[str, str] | None = None,
        items: Sequence[Mapping[str, Any]] = (),
    ) -> Conversation:
        """Store the conversation with all of its items, or nothing. Metadata and items are taken as validated."""
        conversation_id = new_conversation_id()
        conversation = cls(
            id=conversation_id,
            owner_id=owner.pk,
            created_at=ids.created_at(conversation_id),
            metadata=dict(metadata or {}),
        )
        using = router.db_for_write(cls)
        if writer.can_create(cls, items, using=using):
            rows = conversation._first_rows(items)
            writer.create(conversation, rows, build_item_texts(rows, using=using), using=using)
            return conversation
        with transaction.atomic(using=using):
            rows = conversation._first_rows(items)
            conversation.save(force_insert=True)
            MetadataPair.objects.add(conversation, conversation.metadata)
            Item.objects.bulk_create(rows)
            ItemText.objects.add(rows)
        return conversation

    @track_owner_writes
    @retry_on_conflict
    def add_items(self, *, items: Sequence[Mapping[str, Any]]) -> list[Item]:
        """Append validated items, all or none, and return them in their order.

        Raising the counter takes the row's lock, so parallel appends wait for each other here: positions are
        dense, never used twice, and reach other readers in their order.
        """
        now = timezone.now()
        using = router.db_for_write(Conversation, instance=self)
        if writer.can_append(items, using=using):
            rows = self._rows(items, first_position=1, now=now)
            writer.append(self, rows, build_item_texts(rows, using=using), using=using)
            return rows
        with transaction.atomic(using=using):
            count = sum(item["type"] != "compaction_trigger" for item in items)
            self._update_counters(
                item_count=F("item_count") + count,
                last_position=F("last_position") + count,
                **({"last_item_at": now} if count else {}),
            )
            rows = self._rows(items, first_position=self.last_position - count + 1, now=now)
            Item.objects.bulk_create(rows)
            ItemText.objects.add(rows)
            return rows

    @track_owner_writes
    @retry_on_conflict
    def delete_item(self, *, item_id: str) -> None:
        with transaction.atomic():
            self.lock()
            item = self.items.get_or_api_error(item_id)
            item.delete()
            self.item_texts.filter(position=item.position).delete()  # also of when full-text search was on
            self._update_counters(item_count=F("item_count") - 1)

    @track_owner_writes
    @retry_on_conflict
    def replace_metadata(self, *, metadata: Mapping[str, str]) -> None:
        self.metadata = dict(metadata)
        with transaction.atomic():
            self._update(metadata=self.metadata)
            MetadataPair.objects.replace(self, self.metadata)

    @track_owner_writes
    @retry_on_conflict
    def delete_with_items(self) -> None:
        with transaction.atomic():
            self.lock()  # so that no append comes in between
            self.delete()

    def lock(self) -> None:
        """Take the row's lock by a write, which even SQLite's deferred transactions wait for."""
        self._update(last_position=F("last_position"))

    def _update_counters(self, **values: Any) -> None:
        self._update(**values)
        self.refresh_from_db(fields=list(values))

    def _update(self, **values: Any) -> None:
        if not Conversation.objects.filter(pk=self.pk).update(**values):
            raise errors.conversation_not_found(self.pk)

    def _first_rows(self, items: Sequence[Mapping[str, Any]]) -> list[Item]:
        rows = self._rows(items, first_position=1, now=self.created_at)
        if rows:
            self.item_count = self.last_position = len(rows)
            self.last_item_at = self.created_at
        return rows

    def _rows(self, items: Sequence[Mapping[str, Any]], *, first_position: int, now: datetime) -> list[Item]:
        """Unsaved items at consecutive positions; an id that the owner has elsewhere brings its content along."""
        stored = [item for item in items if item["type"] != "compaction_trigger"]
        sent_ids = [item["id"] for item in stored if item.get("id")]
        originals = Item.objects.originals(owner_id=self.owner_id, item_ids=sent_ids) if sent_ids else {}
        for item in stored:
            if item["type"] == "item_reference" and item["id"] not in originals:
                raise errors.referenced_item_not_found(item["id"])
        if sent_ids and (len(set(sent_ids)) < len(sent_ids) or self.items.has_any(sent_ids)):
            raise errors.item_already_in_conversation()
        return [
            Item.build(self, position=position, data=_data(item, originals), created_at=now)
            for position, item in enumerate(stored, start=first_position)
        ]


def _data(item: Mapping[str, Any], originals: Mapping[str, Item]) -> dict[str, Any]:
    item_id = item.get("id") or ids.new_id(ids.item_prefix(item["type"]))
    if item_id in originals:
        data: dict[str, Any] = originals[item_id].data
        return data
    return {"id": item_id, **{name: value for name, value in item.items() if name != "id"}}
