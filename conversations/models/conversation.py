from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.admin.utils import quote
from django.db import models, router, transaction
from django.db.models import F
from django.dispatch import Signal
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from conversations import errors, ids, signals
from conversations.db.fields import BytewiseCharField, CreationTimeField, VerbatimJSONField
from conversations.db.fields.indexes import NotNullIndex
from conversations.db.replica import track_owner_writes
from conversations.db.request_keys.pending_record import PendingRecord
from conversations.db.retry import retry_on_conflict
from conversations.models import writer
from conversations.models.access_record import AccessRecord, Actor
from conversations.models.conversation_queryset import USE_VERBS, AsyncVerbs, WritableQuerySet, items_visible_to
from conversations.models.item import Item, delete_items
from conversations.models.request_record import write_recorded
from conversations.schema.end_user import MAX_END_USER_LENGTH
from conversations.schema.model_input import build_input
from conversations.search.metadata_pair import MetadataPair
from conversations.validation import clean_items, clean_metadata, clean_owner, clean_row

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

UNHELD = models.Q(is_held=False)


class ConversationQuerySet(WritableQuerySet["Conversation"]):
    """Conversations of one database."""


class Conversation(AsyncVerbs, models.Model):
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
    # 0 if each call has its output (see `schema.call_balance`).
    call_balance = models.BigIntegerField(default=0, db_default=0, editable=False)
    last_item_at = models.DateTimeField(_("last item at"), null=True, editable=False)
    # The person who talks, if the owner is an application that names them. Null rather than empty if there is none, so
    # that the row is in no index of end users.
    end_user = BytewiseCharField(_("end user"), max_length=MAX_END_USER_LENGTH, null=True, blank=True, editable=False)
    # No foreign key, because the origin may be deleted. The default of the column is for statements without it.
    forked_from = BytewiseCharField(
        _("forked from"), max_length=ids.MAX_LENGTH, default="", db_default="", blank=True, editable=False
    )

    # The default of the column is for statements without it, so that creating and appending cost the same as before.
    is_held = models.BooleanField(_("on legal hold"), default=False, db_default=False, editable=False)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        permissions = [
            ("read_content", "Can read the content of conversations"),
            ("export_conversation", "Can export conversations"),
            ("redact_item", "Can redact items of conversations"),
            ("hold_conversation", "Can place legal holds on conversations and release them"),
            ("erase_person", "Can erase all that is stored about a person"),
        ]
        base_manager_name = "objects"  # It refuses `user.conversations.add(conversation)`.
        indexes = [
            models.Index(fields=["owner", "id"], name="conversations_owner_id"),
            # The end user comes first, so that the index also finds an end user of all owners.
            NotNullIndex(fields=["end_user", "owner", "id"], name="conversations_end_user"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def save(self, *args: Any, using: str | None = None, **kwargs: Any) -> None:
        """Insert a new conversation with its metadata index. Raise `TypeError` for a stored one.

        Raise `APIError` if the metadata or the end user is not valid.
        """
        if not self._state.adding:
            raise TypeError(USE_VERBS)
        clean_row(self)
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

    def as_input(self, *, ids: bool = False) -> list[dict[str, Any]]:
        """Return the items as the `input` of a model call, in order and with all of their members.

        Without `ids`, the items have no ids, and reasoning that only its id leads to is left out (see `build_input`).
        They come from the database that this instance was read from, because a replica may not have the last ones yet.
        """
        items = self.items.using(self._state.db).order_by("position").values_list("data", flat=True)
        return list(items) if ids else build_input(items)

    @track_owner_writes
    @retry_on_conflict
    def add_items(
        self,
        items: Sequence[Mapping[str, Any]],
        *,
        user: AbstractBaseUser | AnonymousUser | None = None,
        validate: bool = True,
        record: PendingRecord | None = None,
    ) -> list[Item]:
        """Append items, all or none, and return their rows in order.

        They are validated as by the API, but their number has no limit. `validate=False` skips this for the results of
        an earlier validation. Raise `APIError` if they are not valid or the conversation does not exist.
        Item references lead to items in conversations that `user` may see, or in those of the owner for None. If this
        conversation has an end user, they lead to conversations of the same end user only.

        The counters of this instance are updated too. Concurrent appends take turns (see `writer.append`). `record` is
        stored too, for `idempotency.run_once`.
        """
        using = self.write_alias
        valid_items = clean_items(items) if validate else items
        visible = None
        if user:
            visible = items_visible_to(user, Conversation.objects.using(using), end_user=self.end_user)
        rows = writer.append(self, items=valid_items, using=using, visible=visible, record=record)
        if rows:
            self.send_on_commit(signals.items_added, conversation=self, items=rows)
        return rows

    @track_owner_writes
    @retry_on_conflict
    def delete_item(self, item_id: str, *, record: PendingRecord | None = None) -> None:
        """Delete an item, and store `record`. Raise `APIError` if it does not exist."""
        items = self.items.using(self.write_alias)
        delete_items(self, lambda: items.get_or_api_error(item_id).position - 1, is_single=True, record=record)

    @track_owner_writes
    @retry_on_conflict
    def replace_metadata(
        self,
        metadata: Mapping[str, str],
        *,
        validate: bool = True,
        record: PendingRecord | None = None,
        changed_by: Actor | None = None,
    ) -> None:
        """Replace all pairs, and store `record`.

        The access log gets an entry with the old and the new pairs if `changed_by` is given.
        Raise `APIError` if the metadata is not valid; `validate=False` skips its validation.
        """
        new = self.metadata = clean_metadata(metadata) if validate else dict(metadata)
        using = self.write_alias

        def write() -> None:
            if changed_by:
                self.lock_for_change()  # so that the old metadata is what this verb replaces
                old = Conversation.objects.using(using).values_list("metadata", flat=True).get(pk=self.pk)
                AccessRecord.objects.record(
                    user=changed_by,
                    action=AccessRecord.Action.METADATA,
                    conversation_id=self.pk,
                    details={"old": old, "new": new},
                )
            # Another thread may replace the attribute of this instance between the two statements.
            self._update(UNHELD, metadata=new)
            pairs = MetadataPair.objects.using(using)
            pairs.replace(new, conversation_id=self.pk, owner_id=self.owner_id)

        def is_written() -> bool:
            stored = Conversation.objects.using(using).filter(pk=self.pk).values_list("metadata", flat=True)
            return bool(stored.first() == new)

        write_recorded(write, is_written, record=record, shows=self.pk, using=using)
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
        record: PendingRecord | None = None,
    ) -> Conversation:
        """Store a copy of this conversation up to the item `after`, or with all items for None, and return it.

        Items keep their ids, positions and times. `metadata` and `owner` are this conversation's if they are None.
        The end user is this conversation's. `record` is stored too.
        Raise `APIError` if the item or the conversation does not exist, the conversation is longer than
        `MAX_FORKED_ITEMS`, or the metadata is not valid.
        """
        using = self.write_alias
        fork_id = ids.new_conversation_id()
        fork = Conversation(id=fork_id, created_at=ids.created_at(fork_id), end_user=self.end_user, forked_from=self.pk)
        fork.owner_id = self.owner_id if owner is None else clean_owner(owner)
        valid_metadata = clean_metadata(metadata) if metadata is not None and validate else metadata

        def write() -> None:
            self.lock()
            self.refresh_from_db(using=using, fields=["metadata"])
            fork.metadata = dict(self.metadata if valid_metadata is None else valid_metadata)
            items = self.items.using(using)
            if after is not None:
                items = items.filter(position__lte=items.position_of(after))
            writer.fork(self, fork, items=items, using=using)

        write_recorded(write, lambda: fork.is_stored(using=using), record=record, shows=fork_id, using=using)
        copies = Item.objects.using(using).filter(conversation=fork_id)
        self.send_on_commit(signals.conversation_created, conversations=[fork], items=copies)
        return fork

    fork.alters_data = True  # type: ignore[attr-defined]

    @track_owner_writes
    @retry_on_conflict
    def rewind(self, *, after: str | None, record: PendingRecord | None = None) -> None:
        """Delete the items that follow the item `after`, or all of them for None, and store `record`.

        Raise `APIError` if the item or the conversation does not exist. Rows of your project's models that refer to the
        items are treated as their `on_delete` demands: PROTECT and RESTRICT raise an error.
        """
        items = self.items.using(self.write_alias)
        delete_items(self, lambda: 0 if after is None else items.position_of(after), record=record)

    def is_stored(self, *, using: str) -> bool:
        return Conversation.objects.using(using).filter(pk=self.pk, owner=self.owner_id).exists()

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

    def lock_for_change(self) -> None:
        """Lock the row to change or delete what is stored. Raise `APIError` if the conversation is on legal hold."""
        self._update(UNHELD, last_position=F("last_position"))

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the conversation as Django does. Raise `APIError` if it is on legal hold."""
        with transaction.atomic(using=self.write_alias):
            self.lock_for_change()
            AccessRecord.objects.using(self.write_alias).forget_details([self.pk])
            return self.delete_locked(*args, **kwargs)

    def delete_locked(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the conversation, which was locked for a change."""
        self.send_on_commit(signals.conversation_deleted, conversations=[copy(self)])  # Django removes the id.
        return super().delete(*args, **kwargs)

    def update_counters(self, **values: Any) -> None:
        """Write the values, which may be expressions, and read the results into this instance."""
        self._update(**values)
        self.refresh_from_db(using=self.write_alias, fields=list(values))

    def _update(self, *conditions: models.Q, **values: Any) -> None:
        # `objects` would refuse to update the metadata. The caller updates the index with it.
        rows: models.QuerySet[Conversation] = models.QuerySet(Conversation, using=self.write_alias)
        if not rows.filter(*conditions, pk=self.pk).update(**values):
            if conditions and rows.filter(pk=self.pk).exists():
                raise errors.conversation_held(self.pk)
            raise errors.conversation_not_found(self.pk)
