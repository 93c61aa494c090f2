"""Import conversations from JSON Lines (see `schema.export_format`). Importing a file again changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, router, transaction
from django.dispatch import Signal

from conversations import signals
from conversations.errors import APIError
from conversations.models import Conversation, Item, writer
from conversations.schema.export_format import (
    ConversationLine,
    ItemLine,
    validate_conversation_line,
    validate_item_line,
)
from conversations.transfer.line_reader import Line, group_lines, read_lines
from conversations.users import create_user, find_user
from conversations.validation import redact

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

OUTCOMES = 100  # outcomes per transaction; each conversation has a savepoint, because thousands of commits take long
ITEMS = 200  # items per INSERT, and the most that are in memory at a time,
ITEM_BYTES = 1024 * 1024  # unless their lines are longer than this in total

T = TypeVar("T")
OutcomeKind = Literal["added", "present", "conflict", "bad"]


class Outcome(NamedTuple):
    """The result of importing a conversation, or the error of a bad line."""

    kind: OutcomeKind
    line: int  # its number in the file, from 1
    items: int = 0
    reason: str = ""


class LineError(Exception):
    """An error in a line. Nothing of the line's conversation is stored."""

    def __init__(self, line: Line, reason: str, *, kind: OutcomeKind = "bad") -> None:
        super().__init__(reason)
        self.outcome = Outcome(kind, line.number, reason=reason)


def import_conversations(
    stream: IO[bytes],
    *,
    owner: AbstractBaseUser | None = None,
    create_users: bool = False,
    using: str | None = None,
    signal: Signal = signals.conversation_created,
) -> Iterator[Outcome]:
    """Store each conversation completely or not at all, and yield an outcome for each conversation and each bad line.

    Conversations belong to the users that their lines name, or all to `owner`. An existing conversation is compared and
    left as it is. At most `ITEMS` items are in memory, or one line of at most `GROWTH * CONVERSATIONS_MAX_BODY_BYTES`;
    a longer line is bad. A bad line does not stop the import of other conversations. `signal` is sent with the new
    conversations of each transaction.
    """
    lines = read_lines(stream)
    yield from import_lines(lines, owner=owner, create_users=create_users, using=using, signal=signal)


def import_lines(
    lines: Iterable[Line],
    *,
    owner: AbstractBaseUser | None = None,
    create_users: bool = False,
    using: str | None = None,
    signal: Signal = signals.conversation_created,
) -> Iterator[Outcome]:
    """Do the same with lines that are read already."""
    using = using or router.db_for_write(Conversation)
    added: list[Conversation] = []
    outcomes = _import_groups(lines, owner, create_users, using, added)
    while True:
        with transaction.atomic(using=using):
            batch = list(islice(outcomes, OUTCOMES))
            if added:
                items = Item.objects.using(using).filter(conversation__in=[row.pk for row in added])
                rows = {"conversations": added.copy(), "items": items}
                signals.send_on_commit(signal, sender=Conversation, using=using, **rows)
                added.clear()
        yield from batch
        if len(batch) < OUTCOMES:
            break


def _import_groups(
    lines: Iterable[Line],
    owner: AbstractBaseUser | None,
    create_users: bool,
    using: str,
    added: list[Conversation],
) -> Iterator[Outcome]:
    """Yield the outcomes, and append the conversations that were stored to `added`."""
    for _, group in groupby(group_lines(lines), key=itemgetter(0)):
        conversation_import = _ConversationImport((line for _, line in group), using=using)
        try:
            outcome = conversation_import.store(owner, create_users)
            added += conversation_import.added
            yield outcome
        except LineError as error:
            yield error.outcome
        for line in conversation_import.remaining_lines():
            try:
                _validate(line, validate_item_line)
            except LineError as error:
                yield error.outcome


class _ConversationImport:
    """The import of one conversation, whose lines are read from the file as they are needed."""

    conversation: ConversationLine

    def __init__(self, lines: Iterator[Line], *, using: str) -> None:
        self.using = using
        self.first = next(lines)
        self.lines = lines
        self.surplus: list[Line] = []  # a line that was read beyond the last item
        self.added: list[Conversation] = []  # the conversation, once it is stored
        self.has_read_items = False

    def remaining_lines(self) -> Iterator[Line]:
        return chain(self.surplus, self.lines)

    def store(self, owner: AbstractBaseUser | None, create_users: bool) -> Outcome:
        if self.first.is_item:
            raise LineError(self.first, "an item that does not follow its conversation's line")
        self.conversation = _validate(self.first, validate_conversation_line)
        for _ in range(3):  # A parallel import may create the owner meanwhile, and then store the conversation.
            known_owner = owner or _find_owner(self.conversation["owner"])
            existing = Conversation.objects.using(self.using).filter(pk=self.conversation["id"]).first()
            if existing:
                self._compare(existing, known_owner)
                return Outcome("present", self.first.number)
            try:
                with transaction.atomic(using=self.using):
                    return Outcome(
                        "added", self.first.number, items=self._store(known_owner or self._create_owner(create_users))
                    )
            except IntegrityError as error:
                refusal = error
                if self.has_read_items:
                    break
        raise LineError(self.first, f"the database refuses it: {refusal}") from refusal

    def _store(self, owner: AbstractBaseUser) -> int:
        """Insert the conversation with its items, and return the number of items."""
        members = {name: value for name, value in self.conversation.items() if name not in ("object", "owner")}
        conversation = Conversation(owner_id=owner.pk, **members)
        conversation.insert(force_insert=True, using=self.using)
        count = balance = 0
        for batch in self._read_batches():
            self._check_item_ids(batch, has_others=count > 0)
            rows = [
                Item.build(conversation, position=item["position"], data=item["data"], created_at=item["created_at"])
                for _, item in batch
            ]
            writer.insert_items(rows, using=self.using)
            balance += writer.call_balance_of(rows)
            count += len(batch)
        if balance:
            conversation.update_counters(call_balance=balance)
        self.added.append(conversation)
        return count

    def _compare(self, existing: Conversation, owner: AbstractBaseUser | None) -> None:
        """Raise a conflict if the stored conversation, its owner or its items differ from the lines."""
        differing = [
            name.replace("_", " ")
            for name in ("created_at", "metadata", "item_count", "last_position", "last_item_at")
            if getattr(existing, name) != self.conversation[name]
        ]
        if existing.end_user != self.conversation.get("end_user"):
            differing.append("end user")
        if existing.forked_from != self.conversation.get("forked_from", ""):
            differing.append("forked from")
        if owner is None or existing.owner_id != owner.pk:
            differing.insert(0, "owner")
        position, are_items_equal = 0, True
        for batch in self._read_batches():
            stored = existing.items.using(self.using)
            stored = stored.filter(position__gt=position, position__lte=batch[-1][1]["position"])
            rows = stored.order_by("position").values_list("position", "created_at", "data")[: len(batch) + 1]
            lines = [(item["position"], item["created_at"], item["data"]) for _, item in batch]
            are_items_equal = are_items_equal and list(rows) == lines
            position = lines[-1][0]
        if not are_items_equal:
            differing.append("items")
        if differing:
            reason = f"'{existing.pk}' exists with a different {', '.join(differing)}"
            raise LineError(self.first, reason, kind="conflict")

    def _read_batches(self) -> Iterator[list[tuple[Line, ItemLine]]]:
        """Yield all items in batches. Raise an error unless `item_count` items follow the conversation's line."""
        self.has_read_items = True
        expected = self.conversation["item_count"]
        batch: list[tuple[Line, ItemLine]] = []
        position = count = length = 0
        for line in self.lines:
            if count == expected and not line.is_item:
                self.surplus.append(line)
                break
            item = _redact(line, _validate(line, validate_item_line))
            if item["position"] <= position:
                raise LineError(line, f"position: {item['position']} after {position}")
            if item["position"] > self.conversation["last_position"]:
                raise LineError(line, f"position: {item['position']} is beyond the conversation's last_position")
            position = item["position"]
            batch.append((line, item))
            count += 1
            length += line.length
            if len(batch) == ITEMS or length > ITEM_BYTES:
                yield batch
                batch, length = [], 0
        if batch:
            yield batch
        if count != expected:
            raise LineError(self.first, f"item_count: {expected:,} items are announced, and {count:,} follow")

    def _check_item_ids(self, batch: list[tuple[Line, ItemLine]], *, has_others: bool) -> None:
        """Raise an error if an id is twice in the conversation; `has_others` if earlier items are stored already."""
        item_ids = [item["data"]["id"] for _, item in batch]
        items = Item.objects.using(self.using)
        stored = items.filter(conversation=self.conversation["id"], item_id__in=item_ids)
        taken = set(stored.values_list("item_id", flat=True)) if has_others else set()
        for (line, _), item_id in zip(batch, item_ids, strict=True):
            if item_id in taken:
                raise LineError(line, f"data.id: '{item_id}' is in the conversation already")
            taken.add(item_id)

    def _create_owner(self, create_users: bool) -> AbstractBaseUser:
        """Create the user that the conversation's line names, without a password, or raise an error."""
        username = self.conversation["owner"]
        if not create_users:
            raise LineError(self.first, f"owner: there is no user '{username}'")
        try:
            return create_user(username, using=self.using)
        except ValidationError as error:
            raise LineError(self.first, f"owner: {' '.join(error.messages)}") from error


def _validate(line: Line, validate: Callable[[Any], T]) -> T:
    """Return the validated JSON of the line, or raise a `LineError`."""
    if line.error:
        raise LineError(line, line.error)
    try:
        return validate(line.value)
    except APIError as error:
        raise LineError(line, error.message) from error


def _redact(line: Line, item: ItemLine) -> ItemLine:
    """Apply CONVERSATIONS_REDACTORS, also to compare: an export from before a redactor then equals what is stored."""
    try:
        return {**item, "data": redact(item["data"])}
    except Exception as error:  # A redactor is the project's code, and must not stop the import of other conversations.
        raise LineError(line, f"a redactor refuses it: {type(error).__name__}") from error


def _find_owner(username: str) -> AbstractBaseUser | None:
    """Return the user with exactly this name: some databases ignore case, and would give away the conversation."""
    user = find_user(username)
    return user if user and user.get_username() == username else None
