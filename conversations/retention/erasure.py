"""Erase a person: all conversations that belong to them, wherever they are stored, and the searches that name them.

Each step is one short transaction, so that requests go on meanwhile and an interrupted erasure can be started again,
or continued from the position that it has reached.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from django.db import router, transaction
from django.db.models import F
from django.utils import timezone

from conversations.db.retry import retry_on_conflict
from conversations.deletion import MAX_COPIES, BulkDelete, purge_copies
from conversations.models import (
    AccessRecord,
    Actor,
    Conversation,
    ConversationQuerySet,
    DeletedConversation,
    FigureKind,
    ItemText,
    MetadataPair,
    OverviewFigure,
    RequestRecord,
)
from conversations.retention import mentions
from conversations.retention.person import Person
from conversations.retention.receipt import CHECKED, Receipt
from conversations.retention.traces import find_references

PAGE = 1_000  # rows read by one query


class Position(NamedTuple):
    """How far an erasure has come: its phase, and the last key of the table that the phase reads, if it is known."""

    phase: str = "forks"
    after: Any = None


class Copy(NamedTuple):
    """A copy in the trash without its content."""

    pk: int
    conversation_id: str
    metadata: dict[str, str]
    is_held: bool


class Erasure:
    """The erasure of a person. Iterate over it to run it; `receipt` has the progress.

    Ids of conversations stay in the access log as proof of who read them. If `erased_by` is given, it gets an entry
    with the receipt, even of an erasure that was interrupted. `record` and `position` of an erasure of the same person
    continue it, and count on in its entry. Raise RuntimeError if a row that refers to an erased conversation is found.
    """

    def __init__(
        self,
        person: Person,
        *,
        erased_by: Actor | None = None,
        record: AccessRecord | None = None,
        position: Position | None = None,
    ) -> None:
        self.person = person
        self.erased_by = erased_by
        self.record = record
        self.position = position or Position()
        self.receipt = Receipt.from_dict(record.details) if record else Receipt()
        self._recorded = Counter(self.receipt.counts)
        self.using = router.db_for_write(Conversation)
        figures = OverviewFigure.objects.using(self.using).filter(kind=FigureKind.VALUE)
        self._figures = set(figures.values_list("key", "value"))

    def __iter__(self) -> Generator[None]:
        try:
            for _ in self._erase():
                self._store_receipt()
                yield
            self.receipt.finished_at = timezone.now()
        finally:
            self._store_receipt()

    def _erase(self) -> Iterator[None]:
        phases: dict[str, Callable[[Any], Iterator[None]]] = {
            "forks": self._forget_origins,
            "conversations": self._delete_everywhere,
            "searches": self._delete_searches,
            "history": self._forget_history,
        }
        first, after = self.position
        names = list(phases)
        for name in names[names.index(first) :]:
            self.position = Position(name, after if name == first else None)
            yield from phases[name](self.position.after)
        ItemText.objects.using(self.using).purge_deleted_words()

    def matches(self) -> ConversationQuerySet:
        return self.all_conversations().matching(self.person.query)

    def all_conversations(self) -> ConversationQuerySet:
        """Return the conversations that meet all criteria but the query of the person."""
        return self.person.filter_owned(Conversation.objects.using(self.using))

    def count(self, maximum: int, *, is_held: bool) -> int:
        """Return the number of the person's conversations on hold or of the others, or `maximum` if there are more."""
        return self.all_conversations().filter(is_held=is_held).capped_count(maximum, matching=self.person.query)

    def first_held(self, number: int) -> list[Conversation]:
        held = self.all_conversations().filter(is_held=True)
        return held.page(limit=number, order="asc", matching=self.person.query).rows

    def pages_of_copies(self) -> Iterator[list[Copy]]:
        """Yield the copies in the trash, a page at a time. A page may be empty, because no index finds metadata."""
        copies = self.person.filter_copies(DeletedConversation.objects.using(self.using)).order_by("pk")
        after = 0
        while rows := [Copy(*row) for row in copies.filter(pk__gt=after).values_list(*Copy._fields)[:PAGE]]:
            after = rows[-1].pk
            yield [row for row in rows if self.person.has_metadata(row.metadata)]

    def note_deleted(self, ids: list[str], pairs: Iterable[tuple[str, str]], counts: dict[str, int]) -> None:
        """Add deleted conversations to the receipt, after checking that nothing refers to them any more."""
        names = find_references(ids, using=self.using) - {"Conversation", "DeletedConversation"}
        if names:
            raise RuntimeError(f"Rows of {', '.join(sorted(names))} refer to erased conversations.")
        if Conversation.objects.using(self.using).filter(pk__in=ids).exists():
            raise RuntimeError("A conversation that was erased exists again. Run the erasure again.")
        self.receipt.counts.update({CHECKED: len(ids), **counts})
        self._drop_figures(pairs)

    def _delete_everywhere(self, after: Any) -> Iterator[None]:
        # Repeat until nothing is left: a request may restore or create a conversation meanwhile.
        while True:
            before = self.receipt.checked_count
            yield from self._delete_conversations()
            yield from self._delete_copies()
            if self.receipt.checked_count == before:
                break

    def _delete_conversations(self) -> Iterator[None]:
        deletion = _PersonDelete(self.all_conversations(), query=self.person.query)
        deletion.erasure = self
        counted = 0
        for _ in deletion:
            self.receipt.counts["items"] += deletion.item_count - counted
            counted = deletion.item_count
            yield
        self.receipt.protected_count = deletion.protected_count
        self.receipt.held_count = deletion.held_count

    def _delete_copies(self) -> Iterator[None]:
        for own in self.pages_of_copies():
            self.receipt.held_count += sum(row.is_held for row in own)
            own = [row for row in own if not row.is_held]
            for start in range(0, len(own), MAX_COPIES):
                self._delete_batch_of_copies(own[start : start + MAX_COPIES])
                yield

    def _delete_batch_of_copies(self, own: list[Copy]) -> None:
        copies = DeletedConversation.objects.using(self.using).filter(pk__in=[row.pk for row in own])
        for _ in purge_copies(copies):
            pass  # The number counts when it is known that nothing refers to them.
        restored = Conversation.objects.using(self.using).filter(pk__in=[row.conversation_id for row in own])
        remaining = set(restored.values_list("pk", flat=True))  # The next pass deletes them.
        ids = [row.conversation_id for row in own if row.conversation_id not in remaining]
        pairs = (pair for row in own for pair in row.metadata.items())
        self.note_deleted(ids, pairs, {"deleted conversations": len(ids)})

    def _forget_origins(self, after: str | None) -> Iterator[None]:
        """Remove the person's ids from forks of their conversations. The forks may belong to others."""
        deleted_ids = {row.conversation_id for page in self.pages_of_copies() for row in page if not row.is_held}
        forks = Conversation.objects.using(self.using).filter(forked_from__gt="", is_held=False).order_by("pk")
        while page := list(forks.filter(pk__gt=after or "").values_list("pk", "forked_from")[:PAGE]):
            after = page[-1][0]
            matches = self.matches().filter(is_held=False)
            origins = set(matches.filter(pk__in={origin for _, origin in page}).values_list("pk", flat=True))
            ids = [pk for pk, origin in page if origin in origins or origin in deleted_ids]
            Conversation.objects.using(self.using).filter(pk__in=ids).update(forked_from="")
            self.position = self.position._replace(after=after)
            yield

    def _delete_searches(self, after: int | None) -> Iterator[None]:
        """Delete saved views that name the person, and the texts of such searches in the access log."""
        for count in mentions.delete_views(self.person):
            self.receipt.counts["saved views"] += count
            yield
        for last, count in mentions.forget_searches(self.person, after=after or 0):
            self.receipt.counts["search texts"] += count
            self.position = self.position._replace(after=last)
            yield

    def _forget_history(self, after: int | None) -> Iterator[None]:
        for last, count in mentions.forget_history(self.person, after=after or 0):
            self.receipt.counts["history texts"] += count
            self.position = self.position._replace(after=last)
            yield
        self.receipt.rules = mentions.matching_rules(self.person)

    def _drop_figures(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Delete the overview's figures of values that no conversation has any more."""
        for key, value in self._figures.intersection(pairs):
            if not MetadataPair.objects.using(self.using).filter(key=key, value=value).exists():
                figures = OverviewFigure.objects.using(self.using).filter(kind=FigureKind.VALUE, key=key, value=value)
                figures.delete()

    @retry_on_conflict
    def _store_receipt(self) -> None:
        """Store the receipt in the access log, if it is to have one.

        Counts are added to the stored ones, because a second request may continue the same erasure at the same time.
        """
        if not self.erased_by:
            return
        records = AccessRecord.objects.using(router.db_for_write(AccessRecord))
        counts = Counter(self.receipt.counts)
        with transaction.atomic(using=records.db):
            if self.record:
                entry = records.filter(pk=self.record.pk)
                entry.update(conversation_count=F("conversation_count"))  # Lock the row.
                counts.update(Receipt.from_dict(entry.get().details).counts)
                counts.subtract(self._recorded)
            receipt = replace(self.receipt, counts=counts)
            values: dict[str, Any] = {
                "conversation_count": receipt.checked_count,
                "details": {"chosen by": self.person.criteria, **receipt.as_dict()},
            }
            if self.record:
                entry.update(**values)
            else:
                action = AccessRecord.Action.ERASURE
                record = records.record(user=self.erased_by, action=action, **values)
        self.record = self.record or record
        self.receipt, self._recorded = receipt, Counter(counts)


class _PersonDelete(BulkDelete):
    """Bulk deletion that adds each batch to the receipt of an erasure."""

    erasure: Erasure

    def _delete(self, batch: list[Conversation]) -> set[str]:
        records = RequestRecord.objects.using(self.erasure.using).filter(conversation__in=[row.pk for row in batch])
        conversation_ids = list(records.values_list("conversation", flat=True))
        ids = super()._delete(batch)
        pairs = (pair for row in batch if row.pk in ids for pair in dict(row.metadata).items())
        record_count = sum(pk in ids for pk in conversation_ids)
        self.erasure.note_deleted(list(ids), pairs, {"conversations": len(ids), "request records": record_count})
        return ids
