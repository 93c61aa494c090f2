"""Deletes conversations for good, however many and however long, while others read and append."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

from django.db import router
from django.db.models import F, ProtectedError, QuerySet, RestrictedError
from django.db.models.deletion import Collector

from conversations.db.batching import AdaptiveBatch
from conversations.db.hints import disable_sequential_scans
from conversations.errors import APIError
from conversations.models import Conversation, ConversationQuerySet, Item, ItemText
from conversations.schema.query.nodes import Query, phrases

PAGE = 100  # conversations of one transaction
ROWS = 1_000  # items and conversations of one transaction
PROTECTED = (ProtectedError, RestrictedError)


class BulkDelete:
    """Of the conversations that match and that are there when it begins, the oldest first: to be iterated over.

    Each step is a transaction, a short one (see `AdaptiveBatch`) that leaves everything as it should be, so that it
    may be stopped at any time, and another one goes on. Short conversations go some at a time. A long one loses its
    first items, slice after slice, while it is read and appended to as ever; the last slice takes it along, and what
    was appended meanwhile.

    Rows of the host's own that point to what is deleted are treated as their `on_delete` says: a conversation that
    they protect is kept whole. Errors are those of `ConversationQuerySet.matching`, at once.
    """

    def __init__(self, conversations: ConversationQuerySet, *, query: Query, most_rows: int = ROWS) -> None:
        self._batch = AdaptiveBatch(using=router.db_for_write(Conversation), max_rows=most_rows)
        self._conversations = conversations.using(self._batch.using)
        self._query = query
        self.matches = self._conversations.matching(query)
        self.conversation_count = self.item_count = self.kept_count = 0  # so far

    def __iter__(self) -> Iterator[None]:
        for run in self._runs():
            try:
                if len(run) > 1:
                    self._delete(run)
                    yield
                    continue
            except PROTECTED:
                pass  # some of them
            for conversation in run:
                try:
                    yield from self._shorten(conversation)
                    self._delete([conversation])
                except PROTECTED:
                    self.kept_count += 1
                except APIError:
                    continue  # somebody else has just deleted it
                yield
        ItemText.objects.using(self._batch.using).purge_deleted_words()

    def _runs(self) -> Iterator[list[Conversation]]:
        """What may go at once. It is asked for each time, for the time before may be hours ago."""
        newest_id = self._conversations.order_by("-pk").values_list("pk", flat=True).first()
        conversations, after = self._conversations.filter(pk__lte=newest_id or ""), None
        while some := conversations.page(limit=PAGE, order="asc", after=after, matching=self._query).conversations:
            totals = accumulate(conversation.item_count + 1 for conversation in some)
            fitting = [each for each, total in zip(some, totals, strict=True) if total <= self._batch.rows]
            run = fitting or some[:1]
            yield run
            after = run[-1].pk

    def _delete(self, run: list[Conversation]) -> None:
        conversations = Conversation.objects.using(self._batch.using).filter(pk__in=[each.pk for each in run])
        with self._transaction():
            conversations.lock()  # so that no append comes in between
            _total, counts = conversations.delete()
        self.conversation_count += counts.get(Conversation._meta.label, 0)
        self.item_count += counts.get(Item._meta.label, 0)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._batch.transaction():
            disable_sequential_scans(using=self._batch.using)
            yield

    def _shorten(self, conversation: Conversation) -> Iterator[None]:
        """Delete the first items, until one transaction can take the rest."""
        if conversation.item_count < self._batch.rows:
            return
        self._check_unprotected(conversation)
        # As long as these are there, the query finds the conversation, also after this was stopped.
        kept = _positions_that_say(phrases(self._query), conversation, using=self._batch.using)
        items = Item.objects.using(self._batch.using).filter(conversation=conversation).exclude(position__in=kept)
        texts = ItemText.objects.using(self._batch.using).filter(conversation=conversation).exclude(position__in=kept)
        start = 0  # before which there is nothing but what was deleted and still lies about
        while end := _nth_position(items.filter(position__gt=start), self._batch.rows):
            within = {"position__gt": start, "position__lte": end}
            with self._transaction():
                conversation.lock()
                texts.filter(**within).delete()
                count = items.filter(**within).delete()[1].get(Item._meta.label, 0)
                Conversation.objects.filter(pk=conversation.pk).update(item_count=F("item_count") - count)
            self.item_count += count
            start = end
            yield
        # PostgreSQL passes over what was deleted of an index in a moment once somebody has looked, who takes longer:
        # here nobody waits for that, as they would for the last transaction.
        with self._transaction():
            for deleted in (items, texts):
                deleted.filter(position__lte=start).exists()

    def _check_unprotected(self, conversation: Conversation) -> None:
        """Before anything is deleted of it, and without more items in memory than of one transaction."""
        _WithoutItems(using=self._batch.using).collect([conversation])
        items = Item.objects.using(self._batch.using).filter(conversation=conversation).order_by("position")
        start = 0
        while not Collector(using=self._batch.using).can_fast_delete(items):
            some = list(items.filter(position__gt=start)[: self._batch.rows])
            if not some:
                return
            Collector(using=self._batch.using).collect(some)
            start = some[-1].position


class _WithoutItems(Collector):
    def related_objects(self, related_model: Any, related_fields: Any, objs: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().related_objects(related_model, related_fields, objs)
        return rows.none() if related_model is Item else rows


def _positions_that_say(phrases: list[str], conversation: Conversation, *, using: str) -> set[int]:
    """Of each phrase the first."""
    texts = ItemText.objects.using(using).filter(conversation=conversation).order_by("position")
    positions = (texts.containing_phrase(phrase).values_list("position", flat=True).first() for phrase in phrases)
    return {position for position in positions if position is not None}


def _nth_position(items: QuerySet[Item], n: int) -> int | None:
    return next(iter(items.order_by("position").values_list("position", flat=True)[n - 1 : n]), None)
