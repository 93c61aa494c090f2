from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from asgiref.sync import sync_to_async
from django.db import connections, models, transaction
from django.db.models import F, Q

from conversations import errors, ids, signals
from conversations.conf import app_settings
from conversations.db.aliases import write_alias
from conversations.db.replica import track_owner_writes
from conversations.db.request_keys.pending_record import PendingRecord
from conversations.db.retry import retry_on_conflict
from conversations.models import writer
from conversations.models.access_record import AccessRecord, Actor
from conversations.models.item import Item
from conversations.search.item_text import ItemText
from conversations.search.queryset import SearchableQuerySet
from conversations.validation import clean_end_user, clean_items, clean_metadata, clean_owner, clean_row

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

# Another value of these fields would leave the metadata index as it was.
INDEXED_FIELDS = {"metadata", "owner", "owner_id"}
GUARDED_FIELDS = INDEXED_FIELDS | {"is_held"}
USE_VERBS = (
    "A stored conversation can't be changed so, because its index and its counters would differ from it. Change its "
    "metadata with conversation.replace_metadata({…}), and its items with add_items() and delete_item(). The "
    "owner never changes."
)
ConversationType = TypeVar("ConversationType", bound=models.Model)


class WritableQuerySet(SearchableQuerySet[ConversationType]):
    """Conversations that are created and changed with their items and indexes."""

    @track_owner_writes
    @retry_on_conflict
    def create_with_items(
        self,
        *,
        owner: AbstractBaseUser | AnonymousUser,
        metadata: Mapping[str, str] | None = None,
        items: Sequence[Mapping[str, Any]] = (),
        end_user: str | None = None,
        validate: bool = True,
        conversation_id: str | None = None,
        record: PendingRecord | None = None,
    ) -> ConversationType:
        """Store a conversation with all of its items, or nothing.

        Metadata and items are validated as by the API, but their number has no limit. `validate=False` skips this for
        the results of an earlier validation. Raise `APIError` if they are not valid or the owner is anonymous.
        `end_user` names one of the owner's users, for an owner that is an application. Item references then lead to
        conversations of this end user only.
        `conversation_id` is the id, if `ids.new_conversation_id` returned it before. `record` is stored too, for
        `idempotency.run_once`.
        """
        conversation_id = conversation_id or ids.new_conversation_id()
        conversation: Any = self.model(
            id=conversation_id,
            owner_id=clean_owner(owner),
            created_at=ids.created_at(conversation_id),
            metadata=clean_metadata(metadata or {}) if validate else dict(metadata or {}),
            end_user=clean_end_user(end_user) if validate else end_user,
        )
        using = write_alias(self)
        valid_items = clean_items(items) if validate else items
        visible = None
        if app_settings.visible_to:
            conversations = self.model._base_manager.using(using)
            visible = items_visible_to(owner, conversations, end_user=conversation.end_user)
        rows = writer.create(conversation, items=valid_items, using=using, visible=visible, record=record)
        conversation.send_on_commit(signals.conversation_created, conversations=[conversation], items=rows)
        created: ConversationType = conversation
        return created

    create_with_items.alters_data = True  # type: ignore[attr-defined]

    async def acreate_with_items(
        self,
        *,
        owner: AbstractBaseUser | AnonymousUser,
        metadata: Mapping[str, str] | None = None,
        items: Sequence[Mapping[str, Any]] = (),
        end_user: str | None = None,
        validate: bool = True,
        conversation_id: str | None = None,
        record: PendingRecord | None = None,
    ) -> ConversationType:
        create = sync_to_async(self.create_with_items)
        return await create(
            owner=owner,
            metadata=metadata,
            items=items,
            end_user=end_user,
            validate=validate,
            conversation_id=conversation_id,
            record=record,
        )

    def bulk_create(  # type: ignore[override]
        self, objs: Iterable[ConversationType], batch_size: int | None = None, **options: Any
    ) -> list[ConversationType]:
        """Insert conversations with their metadata index. Options for rows that exist already are not supported.

        Raise `APIError` if the metadata or the end user of one is not valid.
        """
        if any(options.values()):
            raise TypeError("Conversations that may exist already have to be stored with import_conversations().")
        conversations = list(objs)
        for conversation in conversations:
            clean_row(conversation)
        using = write_alias(self)
        with transaction.atomic(using=using, savepoint=False):
            writer.insert_conversations(conversations, using=using, batch_size=batch_size)
            signals.send_on_commit(
                signals.conversation_created, sender=self.model, using=using, conversations=conversations, items=[]
            )
        return conversations

    def update(self, **values: Any) -> int:
        """Update the rows, except for legal holds and for fields that the metadata index depends on."""
        if not GUARDED_FIELDS.isdisjoint(values):
            raise TypeError(USE_VERBS)
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the rows as Django does. Raise `APIError` if one of them is on legal hold."""
        with transaction.atomic(using=write_alias(self)):
            rows = self._complete_rows()
            rows.lock()
            held = rows.filter(is_held=True).values_list("pk", flat=True).first()
            if held is not None:
                raise errors.conversation_held(held)
            AccessRecord.objects.using(write_alias(self)).forget_details(rows.values("pk"))
            return self.delete_locked()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def delete_locked(self) -> tuple[int, dict[str, int]]:
        """Delete the rows, which were locked for a change."""
        if signals.conversation_deleted.has_listeners(self.model):
            rows = list(self._complete_rows())
            signals.send_on_commit(
                signals.conversation_deleted, sender=self.model, using=write_alias(self), conversations=rows
            )
        return super().delete()

    def _complete_rows(self) -> Any:
        """Return the same rows of the database for writes with all of their fields."""
        return self.model._base_manager.using(write_alias(self)).filter(pk__in=self.order_by().values("pk"))

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


class AsyncVerbs:
    """The asynchronous forms of the verbs of a conversation, for views and consumers that await model calls."""

    async def aadd_items(
        self,
        items: Sequence[Mapping[str, Any]],
        *,
        user: AbstractBaseUser | AnonymousUser | None = None,
        validate: bool = True,
        record: PendingRecord | None = None,
    ) -> list[Item]:
        add_items = sync_to_async(cast(Any, self).add_items)
        rows: list[Item] = await add_items(items, user=user, validate=validate, record=record)
        return rows

    async def adelete_item(self, item_id: str, *, record: PendingRecord | None = None) -> None:
        await sync_to_async(cast(Any, self).delete_item)(item_id, record=record)

    async def areplace_metadata(
        self,
        metadata: Mapping[str, str],
        *,
        validate: bool = True,
        record: PendingRecord | None = None,
        changed_by: Actor | None = None,
    ) -> None:
        replace = sync_to_async(cast(Any, self).replace_metadata)
        await replace(metadata, validate=validate, record=record, changed_by=changed_by)

    async def afork(
        self,
        *,
        after: str | None = None,
        metadata: Mapping[str, str] | None = None,
        owner: AbstractBaseUser | AnonymousUser | None = None,
        validate: bool = True,
        record: PendingRecord | None = None,
    ) -> Self:
        fork = sync_to_async(cast(Any, self).fork)
        copy: Self = await fork(after=after, metadata=metadata, owner=owner, validate=validate, record=record)
        return copy

    async def arewind(self, *, after: str | None, record: PendingRecord | None = None) -> None:
        await sync_to_async(cast(Any, self).rewind)(after=after, record=record)


def items_visible_to(user: AbstractBaseUser | AnonymousUser, conversations: Any, *, end_user: str | None) -> Q:
    """Return the filter for the items that the user may see in the conversations, or in those of the end user."""
    visible = conversations.visible_to(user, end_user=end_user)
    return Q(conversation__in=visible.order_by().values("pk"))
