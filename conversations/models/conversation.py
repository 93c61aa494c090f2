from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.admin.utils import quote
from django.db import models, router, transaction
from django.db.models import F
from django.dispatch import Signal
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from conversations import errors, ids, signals
from conversations.db.fields import BytewiseCharField, CreationTimeField, VerbatimJSONField
from conversations.db.replica import track_owner_writes
from conversations.db.retry import retry_on_conflict
from conversations.models import writer
from conversations.models.conversation_queryset import USE_VERBS, WritableQuerySet, items_visible_to
from conversations.models.item import Item
from conversations.models.request_record import RequestRecord
from conversations.schema.model_input import build_input
from conversations.search.metadata_pair import MetadataPair
from conversations.validation import clean_items, clean_metadata, clean_owner

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


class ConversationQuerySet(WritableQuerySet["Conversation"]):
    """Conversations of one database."""


class Conversation(models.Model):
    """A list of items that belongs to a user. Write through the methods: they keep counters and indexes in sync."""

    id = BytewiseCharField(
        _("id"), primary_key=True, max_length=ids.MAX_LENGTH, default=ids.new_conversation_id, editable=False
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="conversations",
        verbose_name=_("owner"),
        db_index=False,
    )
    created_at = CreationTimeField(_("created at"), blank=True, editable=False)
    metadata = VerbatimJSONField(_("metadata"), default=dict, blank=True)
    item_count = models.PositiveIntegerField(_("items"), default=0, editable=False)
    last_position = models.PositiveIntegerField(default=0, editable=False)
    last_item_at = models.DateTimeField(_("last item at"), null=True, editable=False)
    # No foreign key, because the origin may be deleted. The default of the column is for statements without it.
    forked_from = BytewiseCharField(
        _("forked from"), max_length=ids.MAX_LENGTH, default="", db_default="", blank=True, editable=False
    )

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        permissions = [
            ("read_content", "Can read the content of conversations"),
            ("export_conversation", "Can export conversations"),
        ]
        base_manager_name = "objects"  # It refuses `user.conversations.add(conversation)`.
        indexes = [models.Index(fields=["owner", "id"], name="conversations_owner_id")]

    def __str__(self) -> str:
        return str(self.id)

    def save(self, *args: Any, using: str | None = None, **kwargs: Any) -> None:
        """Insert a new conversation with its metadata index. Raise `TypeError` for a stored one."""
        if not self._state.adding:
            raise TypeError(USE_VERBS)
        using = using or self.write_alias
        with transaction.atomic(using=using, savepoint=False):
            self.insert(*args, using=using, **kwargs)
            self.send_on_commit(signals.conversation_created, conversations=[self], items=[])

    def get_absolute_url(self) -> str:
        """Return the URL of the conversation's page in the admin, or an empty string if your project has no admin."""
        try:
            return reverse("admin:conversations_conversation_change", args=[quote(self.pk)])
        except NoReverseMatch:
            return ""

    def insert(self, *args: Any, using: str, **kwargs: Any) -> None:
        """Insert a new conversation with its metadata index, for the verbs that send a signal of their own."""
        super().save(*args, using=using, **kwargs)
        writer.insert_metadata_pairs(self, using=using)

    @classmethod
    def create_with_items(cls, **options: Any) -> Conversation:
        """Call the same method of the manager."""
        return cls.objects.create_with_items(**options)

    def as_input(self, *, ids: bool = False) -> list[dict[str, Any]]:
        """Return the items as the `input` of a model call, in order and with all of their members.

        Without `ids`, the items have no ids, and reasoning that only its id leads to is left out (see `build_input`).
        """
        items = self.items.order_by("position").values_list("data", flat=True)
        return list(items) if ids else build_input(items)

    @track_owner_writes
    @retry_on_conflict
    def add_items(
        self,
        items: Sequence[Mapping[str, Any]],
        *,
        user: AbstractBaseUser | AnonymousUser | None = None,
        validate: bool = True,
        record: RequestRecord | None = None,
    ) -> list[Item]:
        """Append items, all or none, and return their rows in order.

        They are validated as by the API, but their number has no limit. `validate=False` skips this for the results of
        an earlier validation. Raise `APIError` if they are not valid or the conversation does not exist.
        Item references lead to items in conversations that `user` may see, or in those of the owner for None.

        The counters of this instance are updated too. Concurrent appends take turns (see `writer.append`). `record` is
        stored too, for `idempotency.run_once`.
        """
        using = self.write_alias
        valid_items = clean_items(items) if validate else items
        visible = items_visible_to(user, Conversation.objects.using(using)) if user else None
        rows = writer.append(self, items=valid_items, using=using, visible=visible, record=record)
        if rows:
            self.send_on_commit(signals.items_added, conversation=self, items=rows)
        return rows

    @track_owner_writes
    @retry_on_conflict
    def delete_item(self, item_id: str, *, record: RequestRecord | None = None) -> None:
        """Delete an item, and store `record`. Raise `APIError` if it does not exist."""
        using = self.write_alias
        with transaction.atomic(using=using):
            self.lock()
            item = self.items.using(using).get_or_api_error(item_id)
            self._delete_items(using=using, after=item.position - 1, up_to=item.position)
            if record:
                record.store(self.pk, using=using)

    @track_owner_writes
    @retry_on_conflict
    def replace_metadata(
        self, metadata: Mapping[str, str], *, validate: bool = True, record: RequestRecord | None = None
    ) -> None:
        """Replace all pairs, and store `record`.

        Raise `APIError` if the metadata is not valid; `validate=False` skips its validation.
        """
        self.metadata = clean_metadata(metadata) if validate else dict(metadata)
        using = self.write_alias
        with transaction.atomic(using=using):
            self._update(metadata=self.metadata)
            if record:
                record.store(self.pk, using=using)
            pairs = MetadataPair.objects.using(using)
            pairs.replace(self.metadata, conversation_id=self.pk, owner_id=self.owner_id)
            self.send_on_commit(signals.metadata_replaced, conversation=self)

    @track_owner_writes
    @retry_on_conflict
    def fork(
        self,
        *,
        after: str | None = None,
        metadata: Mapping[str, str] | None = None,
        owner: AbstractBaseUser | AnonymousUser | None = None,
        validate: bool = True,
        record: RequestRecord | None = None,
    ) -> Conversation:
        """Store a copy of this conversation up to the item `after`, or with all items for None, and return it.

        Items keep their ids, positions and times. `metadata` and `owner` are this conversation's if they are None.
        `record` is stored too.
        Raise `APIError` if the item or the conversation does not exist, the conversation is longer than
        `MAX_FORKED_ITEMS`, or the metadata is not valid.
        """
        using = self.write_alias
        conversation_id = ids.new_conversation_id()
        with transaction.atomic(using=using):
            self.lock()
            self.refresh_from_db(using=using, fields=["metadata"])
            items = self.items.using(using)
            if after is not None:
                items = items.filter(position__lte=items.position_of(after))
            if metadata is None:
                metadata = self.metadata
            elif validate:
                metadata = clean_metadata(metadata)
            fork = Conversation(
                id=conversation_id,
                owner_id=self.owner_id if owner is None else clean_owner(owner),
                created_at=ids.created_at(conversation_id),
                metadata=dict(metadata),
                forked_from=self.pk,
            )
            if record:
                record.store(fork.pk, using=using)
            writer.fork(self, fork, items=items, using=using)
            copies = Item.objects.using(using).filter(conversation=fork.pk)
            self.send_on_commit(signals.conversation_created, conversations=[fork], items=copies)
        return fork

    fork.alters_data = True  # type: ignore[attr-defined]

    @track_owner_writes
    @retry_on_conflict
    def rewind(self, *, after: str | None, record: RequestRecord | None = None) -> None:
        """Delete the items that follow the item `after`, or all of them for None, and store `record`.

        Raise `APIError` if the item or the conversation does not exist. Rows of your project's models that refer to the
        items are treated as their `on_delete` demands: PROTECT and RESTRICT raise an error.
        """
        using = self.write_alias
        with transaction.atomic(using=using):
            self.lock()
            items = self.items.using(using)
            position = 0 if after is None else items.position_of(after)
            self._delete_items(using=using, after=position)
            if record:
                record.store(self.pk, using=using)

    async def aadd_items(
        self,
        items: Sequence[Mapping[str, Any]],
        *,
        user: AbstractBaseUser | AnonymousUser | None = None,
        validate: bool = True,
        record: RequestRecord | None = None,
    ) -> list[Item]:
        return await sync_to_async(self.add_items)(items, user=user, validate=validate, record=record)

    async def adelete_item(self, item_id: str, *, record: RequestRecord | None = None) -> None:
        await sync_to_async(self.delete_item)(item_id, record=record)

    async def areplace_metadata(
        self, metadata: Mapping[str, str], *, validate: bool = True, record: RequestRecord | None = None
    ) -> None:
        await sync_to_async(self.replace_metadata)(metadata, validate=validate, record=record)

    async def afork(
        self,
        *,
        after: str | None = None,
        metadata: Mapping[str, str] | None = None,
        owner: AbstractBaseUser | AnonymousUser | None = None,
        validate: bool = True,
        record: RequestRecord | None = None,
    ) -> Conversation:
        fork = sync_to_async(self.fork)
        return await fork(after=after, metadata=metadata, owner=owner, validate=validate, record=record)

    async def arewind(self, *, after: str | None, record: RequestRecord | None = None) -> None:
        await sync_to_async(self.rewind)(after=after, record=record)

    def is_stored(self, *, using: str) -> bool:
        return Conversation.objects.using(using).filter(pk=self.pk).exists()

    @property
    def write_alias(self) -> str:
        """The alias of the database that this instance is written to. Its verbs also read from there."""
        return router.db_for_write(Conversation, instance=self)

    def send_on_commit(self, signal: Signal, **rows: Any) -> None:
        """Send a signal of `conversations.signals` when the transaction of this instance's database is committed."""
        if signal.receivers:  # Otherwise even the look-up of the alias would take a few microseconds.
            signals.send_on_commit(signal, sender=Conversation, using=self.write_alias, **rows)

    def lock(self) -> None:
        """Lock the row by writing to it: SQLite's deferred transactions have no other lock."""
        self._update(last_position=F("last_position"))

    def update_counters(self, **values: Any) -> None:
        """Write the values, which may be expressions, and read the results into this instance."""
        self._update(**values)
        self.refresh_from_db(using=self.write_alias, fields=list(values))

    def _delete_items(self, *, using: str, after: int, up_to: int | None = None) -> None:
        """Delete the items at the positions in (after, up_to]. Call this in the transaction that has locked the row."""
        positions = {"position__gt": after, **({} if up_to is None else {"position__lte": up_to})}
        items = Item.objects.using(using).filter(conversation=self.pk, **positions)
        rows = list(items) if signals.item_deleted.has_listeners(Conversation) else []
        count = items.delete()[1].get(Item._meta.label, 0)
        self.item_texts.using(using).filter(**positions).delete()  # Full-text search may have been on earlier.
        RequestRecord.objects.using(using).drop_items(self.pk, after=after, up_to=up_to)
        if count:
            self.update_counters(item_count=F("item_count") - count)
        if rows:
            self.send_on_commit(signals.item_deleted, conversation=self, items=rows)

    def _update(self, **values: Any) -> None:
        # `objects` would refuse to update the metadata. The caller updates the index with it.
        rows: models.QuerySet[Conversation] = models.QuerySet(Conversation, using=self.write_alias)
        if not rows.filter(pk=self.pk).update(**values):
            raise errors.conversation_not_found(self.pk)
