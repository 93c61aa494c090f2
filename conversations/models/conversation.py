from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.admin.utils import quote
from django.db import connections, models, router, transaction
from django.db.models import F, Q
from django.dispatch import Signal
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from conversations import errors, ids, signals
from conversations.conf import app_settings
from conversations.db.aliases import write_alias
from conversations.db.fields import BytewiseCharField, CreationTimeField, VerbatimJSONField
from conversations.db.replica import track_owner_writes
from conversations.db.retry import retry_on_conflict
from conversations.models import writer
from conversations.models.item import Item
from conversations.schema.model_input import build_input
from conversations.search.item_text import ItemText
from conversations.search.metadata_pair import MetadataPair
from conversations.search.queryset import SearchableQuerySet
from conversations.validation import clean_items, clean_metadata, clean_owner

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


# Another value of these fields would leave the metadata index as it was.
INDEXED_FIELDS = {"metadata", "owner", "owner_id"}
USE_VERBS = (
    "A stored conversation can't be changed so, because its index and its counters would differ from it. Change its "
    "metadata with conversation.replace_metadata({…}), and its items with add_items() and delete_item(). The "
    "owner never changes."
)


class ConversationQuerySet(SearchableQuerySet["Conversation"]):
    @track_owner_writes
    @retry_on_conflict
    def create_with_items(
        self,
        *,
        owner: AbstractBaseUser | AnonymousUser,
        metadata: Mapping[str, str] | None = None,
        items: Sequence[Mapping[str, Any]] = (),
        validate: bool = True,
        conversation_id: str | None = None,
    ) -> Conversation:
        """Store a conversation with all of its items, or nothing.

        Metadata and items are validated as by the API, but their number has no limit. `validate=False` skips this for
        the results of an earlier validation. Raise `APIError` if they are not valid or the owner is anonymous.
        `conversation_id` is the id, if `ids.new_conversation_id` returned it before.
        """
        conversation_id = conversation_id or ids.new_conversation_id()
        conversation = self.model(
            id=conversation_id,
            owner_id=clean_owner(owner),
            created_at=ids.created_at(conversation_id),
            metadata=clean_metadata(metadata or {}) if validate else dict(metadata or {}),
        )
        using = write_alias(self)
        valid_items = clean_items(items) if validate else items
        visible = _items_visible_to(owner, using=using) if app_settings.visible_to else None
        rows = writer.create(conversation, items=valid_items, using=using, visible=visible)
        conversation.send_on_commit(signals.conversation_created, conversations=[conversation], items=rows)
        return conversation

    create_with_items.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(  # type: ignore[override]
        self, objs: Iterable[Conversation], batch_size: int | None = None, **options: Any
    ) -> list[Conversation]:
        """Insert conversations with their metadata index. Options for rows that exist already are not supported."""
        if any(options.values()):
            raise TypeError("Conversations that may exist already have to be stored with import_conversations().")
        conversations = list(objs)
        using = write_alias(self)
        with transaction.atomic(using=using, savepoint=False):
            writer.insert_conversations(conversations, using=using, batch_size=batch_size)
            signals.send_on_commit(
                signals.conversation_created, sender=self.model, using=using, conversations=conversations, items=[]
            )
        return conversations

    def update(self, **values: Any) -> int:
        """Update the rows, except for fields that the metadata index depends on."""
        if not INDEXED_FIELDS.isdisjoint(values):
            raise TypeError(USE_VERBS)
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def lock(self) -> None:
        """Lock the rows in the order of their ids, so that concurrent callers do not deadlock."""
        rows = self.select_for_update().order_by("pk")
        if connections[rows.db].features.has_select_for_update:
            list(rows.values_list("pk"))
        else:
            self.update(last_position=F("last_position"))

    @retry_on_conflict
    def add_missing_item_texts(self) -> int:
        """Add the items that the full-text index lacks, and return their number."""
        using = write_alias(self)
        conversations = self.using(using)
        with transaction.atomic(using=using):
            conversations.lock()  # Otherwise a concurrent request could add or delete items meanwhile.
            conversation_ids = list(conversations.values_list("pk", flat=True))
            items = Item.objects.using(using).filter(conversation__in=conversation_ids)
            return ItemText.objects.using(using).add_missing(items)


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
    ) -> list[Item]:
        """Append items, all or none, and return their rows in order.

        They are validated as by the API, but their number has no limit. `validate=False` skips this for the results of
        an earlier validation. Raise `APIError` if they are not valid or the conversation does not exist.

        Item references lead to items in conversations that `user` may see, or in those of the owner for None.

        The counters of this instance are updated too. Concurrent appends take turns (see `writer.append`).
        """
        using = self.write_alias
        valid_items = clean_items(items) if validate else items
        visible = _items_visible_to(user, using=using) if user else None
        rows = writer.append(self, items=valid_items, using=using, visible=visible)
        if rows:
            self.send_on_commit(signals.items_added, conversation=self, items=rows)
        return rows

    @track_owner_writes
    @retry_on_conflict
    def delete_item(self, item_id: str) -> None:
        """Delete an item. Raise `APIError` if it does not exist."""
        using = self.write_alias
        with transaction.atomic(using=using):
            self.lock()
            item = self.items.using(using).get_or_api_error(item_id)
            Item.objects.using(using).filter(pk=item.pk).delete()
            texts = self.item_texts.using(using)  # even if full-text search is off: it may have been on earlier
            texts.filter(position=item.position).delete()
            self.update_counters(item_count=F("item_count") - 1)
            self.send_on_commit(signals.item_deleted, conversation=self, items=[item])

    @track_owner_writes
    @retry_on_conflict
    def replace_metadata(self, metadata: Mapping[str, str], *, validate: bool = True) -> None:
        """Replace all pairs. Raise `APIError` if they are not valid; `validate=False` skips their validation."""
        self.metadata = clean_metadata(metadata) if validate else dict(metadata)
        using = self.write_alias
        with transaction.atomic(using=using):
            self._update(metadata=self.metadata)
            pairs = MetadataPair.objects.using(using)
            pairs.replace(self.metadata, conversation_id=self.pk, owner_id=self.owner_id)
            self.send_on_commit(signals.metadata_replaced, conversation=self)

    @property
    def write_alias(self) -> str:
        """The alias of the database that this instance is written to. Its verbs also read from there."""
        return router.db_for_write(Conversation, instance=self)

    def send_on_commit(self, signal: Signal, **rows: Any) -> None:
        """Send a signal of `conversations.signals` when the transaction of this instance's database is committed."""
        signals.send_on_commit(signal, sender=Conversation, using=self.write_alias, **rows)

    def lock(self) -> None:
        """Lock the row by writing to it: SQLite's deferred transactions have no other lock."""
        self._update(last_position=F("last_position"))

    def update_counters(self, **values: Any) -> None:
        """Write the values, which may be expressions, and read the results into this instance."""
        self._update(**values)
        self.refresh_from_db(using=self.write_alias, fields=list(values))

    def _update(self, **values: Any) -> None:
        # `objects` would refuse to update the metadata. The caller updates the index with it.
        rows: models.QuerySet[Conversation] = models.QuerySet(Conversation, using=self.write_alias)
        if not rows.filter(pk=self.pk).update(**values):
            raise errors.conversation_not_found(self.pk)


def _items_visible_to(user: AbstractBaseUser | AnonymousUser, *, using: str) -> Q:
    """Return the filter for items in the conversations that the user may see."""
    return Q(conversation__in=Conversation.objects.using(using).visible_to(user).order_by().values("pk"))
