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

from django.db import router
from django.db.models import F, ProtectedError, QuerySet, RestrictedError
from django.db.models.deletion import Collector

from conversations.db.aliases import write_alias
from conversations.db.batching import AdaptiveBatch
from conversations.db.hints import disable_sequential_scans
from conversations.db.replica import track_owner_writes
from conversations.db.retry import retry_on_conflict
from conversations.errors import APIError, conversation_not_found
from conversations.models import (
    AccessRecord,
    Actor,
    Conversation,
    ConversationQuerySet,
    DeletedConversation,
    DeletedConversationQuerySet,
    DeletedPart,
    Item,
    ItemText,
    PendingRecord,
    RequestRecord,
    RunRecord,
)
from conversations.models.request_record import write_recorded
from conversations.schema.query.nodes import ItemCountCondition, Query, iter_conditions
from conversations.search.matching_items import matching_positions

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
def delete_conversation(
    conversation: Conversation, *, record: PendingRecord | None = None, deleted_by: Actor | None = None
) -> None:
    """Delete a conversation in one transaction, and store `record`. Raise an `APIError` if it does not exist.

    The access log gets an entry if `deleted_by` is given, and forgets the metadata that was changed.
    """
    stored = copy(conversation)  # Django removes the id from an instance that it deletes.
    using = conversation.write_alias

    def write() -> None:
        conversation.lock_for_change()
        records = AccessRecord.objects.using(router.db_for_write(AccessRecord))
        records.forget_details([stored.pk])
        if deleted_by:
            records.record(user=deleted_by, action=AccessRecord.Action.DELETE, conversation_id=stored.pk)
        delete_locked(conversation)

    write_recorded(write, lambda: not stored.is_stored(using=using), record=record, shows=None, using=using)


def delete_locked(conversations: Conversation | ConversationQuerySet) -> DeletedCounts:
    """Delete conversations that the current transaction has locked for a change, and all rows that refer to them.

    Rows of your project's models are treated as their `on_delete` demands: PROTECT and RESTRICT raise an error.
    """
    _total, counts = conversations.delete_locked()
    return DeletedCounts(counts.get(Conversation._meta.label, 0), counts.get(Item._meta.label, 0))


class BulkDelete:
    """Permanent deletion of all conversations that match a query, the oldest first. Iterate over it to run it.

    Each step is one short transaction that leaves all tables consistent, so that an interrupted deletion can be
    started again. Short conversations are deleted several at a time. A long one loses its first items, batch by batch,
    while requests read it and append to it; the last batch deletes the rest, appended items included. Until then it
    matches the query: it keeps an item for each condition on items, and its item count if there is a condition on
    that. Conversations that are created after the start stay, and so do those on legal hold and those that rows of your
    project protect.

    `run_record` counts the conversations in the access log. Creating a deletion raises the errors of
    `ConversationQuerySet.matching`.
    """

    def __init__(
        self,
        conversations: ConversationQuerySet,
        *,
        query: Query,
        max_rows: int = MAX_ROWS,
        run_record: RunRecord | None = None,
    ) -> None:
        self._batch = AdaptiveBatch(using=write_alias(conversations), max_rows=max_rows)
        self._conversations = conversations.using(self._batch.using)
        self._query = query
        self._run_record = run_record
        self._begun: set[str] = set()  # ids of long conversations that have lost items
        self.matches = self._conversations.matching(query)
        # Progress so far; `protected_count` and `held_count` count conversations that stay.
        self.conversation_count = self.item_count = self.protected_count = self.held_count = 0

    def __iter__(self) -> Iterator[None]:
        for batch in self._batches():
            conversations = [row for row in batch if not row.is_held]
            self.held_count += len(batch) - len(conversations)
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
                except APIError as error:
                    self.held_count += error.code == "conversation_held"
                    continue  # It has just been put on hold, or a request has deleted it.
                yield
        ItemText.objects.using(self._batch.using).purge_deleted_words()
        if self._run_record:
            self._run_record.finish(**({"on legal hold": self.held_count} if self.held_count else {}))

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

    def _delete(self, batch: list[Conversation]) -> set[str]:
        """Delete the conversations that are not on hold, and return their ids."""
        rows = Conversation.objects.using(self._batch.using).filter(pk__in=[row.pk for row in batch])
        with self._transaction():
            rows.lock()
            states = dict(rows.values_list("pk", "is_held"))
            ids = {pk for pk, is_held in states.items() if not is_held}
            ids -= self._changed_ids(ids)
            AccessRecord.objects.using(router.db_for_write(AccessRecord)).forget_details(ids)
            counts = delete_locked(Conversation.objects.using(self._batch.using).filter(pk__in=ids))
            if self._run_record:
                self._run_record.add(counts.conversations)
        self.conversation_count += counts.conversations
        self.item_count += counts.items
        self.held_count += sum(states.values())
        return ids

    def _changed_ids(self, ids: set[str]) -> set[str]:
        """Return those of the locked conversations that a change since they were read excludes from the deletion."""
        if not self._conversations.query.has_filters():
            return set()
        checked = ids - self._begun  # A conversation that has lost items is deleted to the end.
        remaining = self._conversations.filter(pk__in=checked).values_list("pk", flat=True)
        return checked.difference(remaining)

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
        items = Item.objects.using(self._batch.using).filter(conversation=conversation)
        texts = ItemText.objects.using(self._batch.using).filter(conversation=conversation)
        # Keep what the query matches until the end: an interrupted deletion finds the conversation by it.
        matching = matching_positions(self._query, items=items, texts=texts)
        items, texts = items.exclude(position__in=matching), texts.exclude(position__in=matching)
        keeps_count = any(isinstance(each, ItemCountCondition) for each in iter_conditions(self._query))
        start = 0  # All of these items up to this position are deleted.
        while end := _nth_position(items.filter(position__gt=start), self._batch.rows):
            bounds = {"position__gt": start, "position__lte": end}
            with self._transaction():
                conversation.lock_for_change()
                if self._changed_ids({conversation.pk}):
                    raise conversation_not_found(conversation.pk)  # among those to delete
                self._begun.add(conversation.pk)
                texts.filter(**bounds).delete()
                RequestRecord.objects.using(self._batch.using).drop_items(conversation.pk, after=start, up_to=end)
                count = items.filter(**bounds).delete_locked()
                if not keeps_count:
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


def purge_trash(*, purged_by: Actor | None = None) -> Iterator[int]:
    """Delete copies whose CONVERSATIONS_RESTORE_DAYS are over. Yield after each batch how many it deleted.

    Afterwards no table and no index that is a table contains the conversations. The access log gets an entry with their
    number if `purged_by` is given and there are any.
    """
    overdue = DeletedConversation.objects.using(router.db_for_write(DeletedConversation)).overdue()
    run_record = RunRecord(user=purged_by, action=AccessRecord.Action.PURGE) if purged_by else None
    yield from purge_copies(overdue, run_record=run_record)
    ItemText.objects.using(overdue.db).purge_deleted_words()


def purge_copies(rows: DeletedConversationQuerySet, *, run_record: RunRecord | None = None) -> Iterator[int]:
    """Delete copies in the trash that are not on legal hold. Yield after each batch how many it deleted.

    The parts of a large copy are deleted in several transactions; from the first of them on, it can't be restored.
    """
    batch = AdaptiveBatch(using=rows.db, max_rows=MAX_PARTS)
    rows = rows.filter(is_held=False)
    while keys := list(rows.order_by("deleted_at").values_list("pk", flat=True)[:MAX_COPIES]):
        copies = DeletedConversation.objects.using(rows.db).filter(pk__in=keys)
        parts = DeletedPart.objects.using(rows.db).filter(deleted_conversation__in=keys).order_by("pk")
        while len(first := list(parts.values_list("pk", flat=True)[: batch.rows])) == batch.rows:
            with batch.transaction():
                # A lock, because a copy could be restored or put on hold meanwhile.
                if copies.filter(is_held=False).lock() < len(keys):
                    break
                parts.filter(pk__in=first).delete()
        else:
            with batch.transaction():
                count = copies.delete_with_parts()
                if run_record:
                    run_record.add(count)
            yield count


class _CollectorWithoutItems(Collector):
    def related_objects(self, related_model: Any, related_fields: Any, objs: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().related_objects(related_model, related_fields, objs)
        return rows.none() if related_model is Item else rows


def _nth_position(items: QuerySet[Item], n: int) -> int | None:
    return next(iter(items.order_by("position").values_list("position", flat=True)[n - 1 : n]), None)
