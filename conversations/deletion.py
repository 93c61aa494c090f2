"""Permanent deletion: of one conversation in a request, or of any number in batches while requests go on.

Every deletion locks its rows, so that no append comes in between, and then deletes them with all rows that refer to
them by `delete_locked`. The callers differ only in the transaction around it:

- `delete_conversation`: a single transaction, for a request that deletes one conversation.
- `trash.move_to_trash`: the same, after a copy of the conversation was stored.
- `BulkDelete`: one short transaction per batch, for all conversations that match a query.
- `purge_trash`: one short transaction per batch, for copies in the trash that can no longer be restored.

The batches of the last two have one pacing rule, `AdaptiveBatch`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from itertools import accumulate
from typing import Any, NamedTuple

from django.db import router, transaction
from django.db.models import F, ProtectedError, QuerySet, RestrictedError
from django.db.models.deletion import Collector

from conversations import signals
from conversations.db.aliases import write_alias
from conversations.db.batching import AdaptiveBatch
from conversations.db.hints import disable_sequential_scans
from conversations.db.replica import track_owner_writes
from conversations.db.retry import retry_on_conflict
from conversations.errors import APIError
from conversations.models import (
    Conversation,
    ConversationQuerySet,
    DeletedConversation,
    DeletedPart,
    Item,
    ItemText,
    RequestRecord,
)
from conversations.schema.query.nodes import Query, collect_phrases

MAX_CONVERSATIONS = 100  # per transaction
MAX_ROWS = 1_000  # items and conversations per transaction
MAX_COPIES = 20  # copies in the trash per transaction; most of them have one part
MAX_PARTS = 40  # parts of copies per transaction, about 1 MB each
PROTECTED = (ProtectedError, RestrictedError)


class DeletedCounts(NamedTuple):
    conversations: int
    items: int


@track_owner_writes
@retry_on_conflict
def delete_conversation(conversation: Conversation, *, record: RequestRecord | None = None) -> None:
    """Delete a conversation in one transaction, and store `record`. Raise an `APIError` if it does not exist."""
    using = conversation.write_alias
    with transaction.atomic(using=using):
        conversation.lock()
        delete_locked(conversation)
        if record:
            record.store(None, using=using)


def delete_locked(conversations: Conversation | ConversationQuerySet) -> DeletedCounts:
    """Delete conversations that the current transaction has locked, and all rows that refer to them.

    Rows of your project's models are treated as their `on_delete` demands: PROTECT and RESTRICT raise an error.
    """
    using = conversations.write_alias if isinstance(conversations, Conversation) else conversations.db
    if signals.conversation_deleted.has_listeners(Conversation):
        # Django removes the id from an instance that it deletes.
        rows = [copy(conversations)] if isinstance(conversations, Conversation) else list(conversations.all())
        signals.send_on_commit(signals.conversation_deleted, sender=Conversation, using=using, conversations=rows)
    _total, counts = conversations.delete()
    return DeletedCounts(counts.get(Conversation._meta.label, 0), counts.get(Item._meta.label, 0))


class BulkDelete:
    """Permanent deletion of all conversations that match a query, the oldest first. Iterate over it to run it.

    Each step is one short transaction that leaves all tables consistent, so that an interrupted deletion can be
    started again. Short conversations are deleted several at a time. A long one loses its first items, batch by batch,
    while requests read it and append to it; the last batch deletes the rest, appended items included. Conversations
    that are created after the start stay, and so do those that rows of your project's models protect.

    Creating it raises the errors of `ConversationQuerySet.matching`.
    """

    def __init__(self, conversations: ConversationQuerySet, *, query: Query, max_rows: int = MAX_ROWS) -> None:
        self._batch = AdaptiveBatch(using=write_alias(conversations), max_rows=max_rows)
        self._conversations = conversations.using(self._batch.using)
        self._query = query
        self.matches = self._conversations.matching(query)
        # Progress so far; `protected_count` counts conversations.
        self.conversation_count = self.item_count = self.protected_count = 0

    def __iter__(self) -> Iterator[None]:
        for conversations in self._batches():
            try:
                if len(conversations) > 1:
                    self._delete(conversations)
                    yield
                    continue
            except PROTECTED:
                pass  # Delete one at a time to find the protected ones.
            for conversation in conversations:
                try:
                    yield from self._delete_first_items(conversation)
                    self._delete([conversation])
                except PROTECTED:
                    self.protected_count += 1
                except APIError:
                    continue  # A request has just deleted the conversation.
                yield
        ItemText.objects.using(self._batch.using).purge_deleted_words()

    def _batches(self) -> Iterator[list[Conversation]]:
        """Yield conversations that fit into one transaction, or a single one that may not fit.

        Each batch is queried anew, because conversations may have changed since the previous one.
        """
        newest_id = self._conversations.order_by("-pk").values_list("pk", flat=True).first()
        conversations, after = self._conversations.filter(pk__lte=newest_id or ""), None
        while page := conversations.page(limit=MAX_CONVERSATIONS, order="asc", after=after, matching=self._query).rows:
            totals = accumulate(conversation.item_count + 1 for conversation in page)
            fitting = [
                conversation for conversation, total in zip(page, totals, strict=True) if total <= self._batch.rows
            ]
            batch = fitting or page[:1]
            yield batch
            after = batch[-1].pk

    def _delete(self, batch: list[Conversation]) -> None:
        conversations = Conversation.objects.using(self._batch.using).filter(pk__in=[row.pk for row in batch])
        with self._transaction():
            conversations.lock()
            counts = delete_locked(conversations)
        self.conversation_count += counts.conversations
        self.item_count += counts.items

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._batch.transaction():
            disable_sequential_scans(using=self._batch.using)
            yield

    def _delete_first_items(self, conversation: Conversation) -> Iterator[None]:
        """Delete items in their order, batch by batch, until one transaction can delete the rest."""
        if conversation.item_count < self._batch.rows:
            return
        self._check_unprotected(conversation)
        # Keep the items that the query matches until the end: an interrupted deletion finds the conversation by them.
        matching = _first_positions(collect_phrases(self._query), conversation, using=self._batch.using)
        items = Item.objects.using(self._batch.using).filter(conversation=conversation)
        items = items.exclude(position__in=matching)
        texts = ItemText.objects.using(self._batch.using).filter(conversation=conversation)
        texts = texts.exclude(position__in=matching)
        start = 0  # All of these items up to this position are deleted.
        while end := _nth_position(items.filter(position__gt=start), self._batch.rows):
            bounds = {"position__gt": start, "position__lte": end}
            with self._transaction():
                conversation.lock()
                texts.filter(**bounds).delete()
                RequestRecord.objects.using(self._batch.using).drop_items(conversation.pk, after=start, up_to=end)
                count = items.filter(**bounds).delete()[1].get(Item._meta.label, 0)
                remaining = Conversation.objects.using(self._batch.using).filter(pk=conversation.pk)
                remaining.update(item_count=F("item_count") - count)
            self.item_count += count
            start = end
            yield
        # The first scan over dead index entries is slow on PostgreSQL and marks them for later scans to skip. This one
        # holds no lock of the conversation, unlike the transaction that deletes the rest.
        with self._transaction():
            for deleted_rows in (items, texts):
                deleted_rows.filter(position__lte=start).exists()

    def _check_unprotected(self, conversation: Conversation) -> None:
        """Raise ProtectedError or RestrictedError before any item is deleted. Load at most one batch at a time."""
        _CollectorWithoutItems(using=self._batch.using).collect([conversation])
        items = Item.objects.using(self._batch.using).filter(conversation=conversation).order_by("position")
        start = 0
        while not Collector(using=self._batch.using).can_fast_delete(items):
            batch = list(items.filter(position__gt=start)[: self._batch.rows])
            if not batch:
                return
            Collector(using=self._batch.using).collect(batch)
            start = batch[-1].position


def purge_trash() -> Iterator[int]:
    """Delete copies whose CONVERSATIONS_RESTORE_DAYS are over. Yield after each batch how many it deleted.

    The parts of a large copy are deleted in several transactions; from the first of them on, it can't be restored.
    Afterwards no table and no index that is a table contains the conversations.
    """
    overdue = DeletedConversation.objects.using(router.db_for_write(DeletedConversation)).overdue()
    batch = AdaptiveBatch(using=overdue.db, max_rows=MAX_PARTS)
    while keys := list(overdue.order_by("deleted_at").values_list("pk", flat=True)[:MAX_COPIES]):
        copies = DeletedConversation.objects.using(overdue.db).filter(pk__in=keys)
        parts = DeletedPart.objects.using(overdue.db).filter(deleted_conversation__in=keys).order_by("pk")
        while len(first := list(parts.values_list("pk", flat=True)[: batch.rows])) == batch.rows:
            with batch.transaction():
                copies.lock()  # Otherwise a copy could be restored meanwhile.
                parts.filter(pk__in=first).delete()
        with batch.transaction():
            count = copies.delete_with_parts()
        yield count
    ItemText.objects.using(overdue.db).purge_deleted_words()


class _CollectorWithoutItems(Collector):
    def related_objects(self, related_model: Any, related_fields: Any, objs: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().related_objects(related_model, related_fields, objs)
        return rows.none() if related_model is Item else rows


def _first_positions(phrases: list[str], conversation: Conversation, *, using: str) -> set[int]:
    """Return the position of the first item that contains each phrase."""
    texts = ItemText.objects.using(using).filter(conversation=conversation).order_by("position")
    positions = (texts.containing_phrase(phrase).values_list("position", flat=True).first() for phrase in phrases)
    return {position for position in positions if position is not None}


def _nth_position(items: QuerySet[Item], n: int) -> int | None:
    return next(iter(items.order_by("position").values_list("position", flat=True)[n - 1 : n]), None)
