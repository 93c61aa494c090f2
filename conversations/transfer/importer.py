"""Takes in what was exported as JSON Lines (see `schema.export_format`): as it was, and once, however often."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count, groupby, islice
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from conversations.conf import app_settings
from conversations.errors import APIError
from conversations.models import Conversation, Item, ItemText, MetadataPair
from conversations.schema.export_format import (
    ConversationLine,
    ItemLine,
    validate_conversation_line,
    validate_item_line,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

OUTCOMES = 100  # of one transaction, in which each conversation has a savepoint: thousands of commits take long
ITEMS = 200  # stored at once, and all that are in memory at a time,
ITEM_BYTES = 1024 * 1024  # unless their lines are longer than this together

# A line may be longer than the body that its item came in: `1e15` is written with all of its digits.
GROWTH = 4

T = TypeVar("T")
OutcomeKind = Literal["added", "present", "conflict", "bad"]


class Outcome(NamedTuple):
    """Of a conversation, or of a bad line. `line` is its number in the file, from 1."""

    kind: OutcomeKind
    line: int
    items: int = 0
    reason: str = ""


class LineRefusal(Exception):
    """Nothing of this conversation is stored."""

    def __init__(self, line: Line, reason: str, *, kind: OutcomeKind = "bad") -> None:
        super().__init__(reason)
        self.outcome = Outcome(kind, line.number, reason=reason)


class Line(NamedTuple):
    number: int
    length: int
    value: Any
    fault: str = ""  # why there is no value

    @property
    def is_item(self) -> bool:
        return isinstance(self.value, dict) and self.value.get("object") == "conversation.item"


class LineGroup(NamedTuple):
    """What a conversation's line and those of its items have in common."""

    number: int  # of conversations so far
    conversation_id: str


def import_conversations(
    stream: IO[bytes], *, owner: AbstractBaseUser | None = None, create_users: bool = False
) -> Iterator[Outcome]:
    """Store each conversation whole or not at all, and tell what became of it; a bad line holds up no other.

    Conversations go to the users that their lines name, or all to `owner`. One that exists is left as it is. In memory
    are `ITEMS` items at most, or one line of at most `GROWTH * CONVERSATIONS_MAX_BODY_BYTES`; a longer one is bad.
    """
    outcomes = _outcomes(stream, owner, create_users)
    while True:
        with transaction.atomic():
            batch = list(islice(outcomes, OUTCOMES))
        yield from batch
        if len(batch) < OUTCOMES:
            break


def _outcomes(stream: IO[bytes], owner: AbstractBaseUser | None, create_users: bool) -> Iterator[Outcome]:
    for _, group in groupby(_placed(_lines(stream)), key=itemgetter(0)):
        arrival = _ConversationImport(line for _, line in group)
        try:
            yield arrival.store(owner, create_users)
        except LineRefusal as refused:
            yield refused.outcome
        for line in arrival.rest():  # of which more may be bad
            try:
                _validated(line, validate_item_line)
            except LineRefusal as refused:
                yield refused.outcome


class _ConversationImport:
    """The lines of one conversation, which are read as they are needed."""

    conversation: ConversationLine

    def __init__(self, lines: Iterator[Line]) -> None:
        self.first = next(lines)
        self.lines = lines
        self.not_its_own: list[Line] = []

    def rest(self) -> Iterator[Line]:
        return chain(self.not_its_own, self.lines)

    def store(self, owner: AbstractBaseUser | None, create_users: bool) -> Outcome:
        if self.first.is_item:
            raise LineRefusal(self.first, "an item that does not follow its conversation's line")
        self.conversation = _validated(self.first, validate_conversation_line)
        owner = owner or _user(self.conversation["owner"])
        existing = Conversation.objects.filter(pk=self.conversation["id"]).first()
        if existing:
            self._compare(existing, owner)
            return Outcome("present", self.first.number)
        try:
            with transaction.atomic():
                return Outcome("added", self.first.number, items=self._store(owner or self._new_user(create_users)))
        except IntegrityError as error:
            raise LineRefusal(self.first, f"the database refuses it: {error}") from error

    def _store(self, owner: AbstractBaseUser) -> int:
        members = {name: value for name, value in self.conversation.items() if name not in ("object", "owner")}
        conversation = Conversation(owner_id=owner.pk, **members)
        conversation.save(force_insert=True)
        MetadataPair.objects.add(conversation.metadata, conversation_id=conversation.pk, owner_id=owner.pk)
        stored = 0
        for batch in self._batches():
            self._check_item_ids(batch, has_others=stored > 0)
            rows = [
                Item(
                    conversation=conversation,
                    position=item["position"],
                    item_id=item["data"]["id"],
                    type=item["data"]["type"],
                    data=item["data"],
                    created_at=item["created_at"],
                )
                for _, item in batch
            ]
            Item.objects.bulk_create(rows)
            ItemText.objects.add(rows)
            stored += len(batch)
        return stored

    def _compare(self, existing: Conversation, owner: AbstractBaseUser | None) -> None:
        differing = [
            name.replace("_", " ")
            for name in ("created_at", "metadata", "item_count", "last_position", "last_item_at")
            if getattr(existing, name) != self.conversation[name]
        ]
        if owner is None or existing.owner_id != owner.pk:
            differing.insert(0, "owner")
        position, same_items = 0, True
        for batch in self._batches():
            stored = existing.items.filter(position__gt=position, position__lte=batch[-1][1]["position"])
            rows = stored.order_by("position").values_list("position", "created_at", "data")[: len(batch) + 1]
            lines = [(item["position"], item["created_at"], item["data"]) for _, item in batch]
            same_items = same_items and list(rows) == lines
            position = lines[-1][0]
        if not same_items:
            differing.append("items")
        if differing:
            there = f"'{existing.pk}' is there with another {', '.join(differing)}"
            raise LineRefusal(self.first, there, kind="conflict")

    def _batches(self) -> Iterator[list[tuple[Line, ItemLine]]]:
        """All items, or an error where there are more or fewer of them than the conversation's line says."""
        announced = self.conversation["item_count"]
        batch: list[tuple[Line, ItemLine]] = []
        position = found = length = 0
        for line in self.lines:
            if found == announced and not line.is_item:
                self.not_its_own.append(line)
                break
            item = _validated(line, validate_item_line)
            if item["position"] <= position:
                raise LineRefusal(line, f"position: {item['position']} after {position}")
            if item["position"] > self.conversation["last_position"]:
                raise LineRefusal(line, f"position: {item['position']} is beyond the conversation's last_position")
            position = item["position"]
            batch.append((line, item))
            found += 1
            length += line.length
            if len(batch) == ITEMS or length > ITEM_BYTES:
                yield batch
                batch, length = [], 0
        if batch:
            yield batch
        if found != announced:
            raise LineRefusal(self.first, f"item_count: {announced:,} items are announced, and {found:,} follow")

    def _check_item_ids(self, batch: list[tuple[Line, ItemLine]], *, has_others: bool) -> None:
        item_ids = [item["data"]["id"] for _, item in batch]
        stored = Item.objects.filter(conversation=self.conversation["id"], item_id__in=item_ids)
        taken = set(stored.values_list("item_id", flat=True)) if has_others else set()
        for (line, _), item_id in zip(batch, item_ids, strict=True):
            if item_id in taken:
                raise LineRefusal(line, f"data.id: '{item_id}' is in the conversation already")
            taken.add(item_id)

    def _new_user(self, create_users: bool) -> AbstractBaseUser:
        username = self.conversation["owner"]
        if not create_users:
            raise LineRefusal(self.first, f"owner: there is no user '{username}'")
        User = get_user_model()
        user = User(**{User.USERNAME_FIELD: username})
        try:
            user.clean_fields(exclude={field.name for field in User._meta.fields} - {User.USERNAME_FIELD})
        except ValidationError as error:
            raise LineRefusal(self.first, f"owner: {' '.join(error.messages)}") from error
        user.set_unusable_password()
        user.save()
        return user


def _lines(stream: IO[bytes]) -> Iterator[Line]:
    maximum = GROWTH * app_settings.max_body_bytes
    for number in count(1):
        try:
            text = stream.readline(maximum + 1)
            length = len(text)
            while length > maximum and text and not text.endswith(b"\n"):
                text = stream.readline(maximum)
        except (EOFError, OSError, zlib.error) as error:
            yield Line(number, 0, None, f"the file can't be read from here on: {error}")
            return
        if not length:
            return
        if length > maximum:
            yield Line(number, length, None, f"longer than {maximum:,} bytes")
        elif not text.isspace():
            try:
                yield Line(number, length, json.loads(text.decode("utf-8-sig")))
            except (RecursionError, ValueError) as error:
                yield Line(number, length, None, f"not JSON: {error}")


def _placed(lines: Iterable[Line]) -> Iterator[tuple[LineGroup, Line]]:
    """A line that doesn't tell where it belongs stays with the one before it."""
    place = LineGroup(0, "")
    for line in lines:
        if isinstance(line.value, dict):
            is_first = line.value.get("object") == "conversation"
            conversation_id = line.value.get("id" if is_first else "conversation_id")
            known = conversation_id if isinstance(conversation_id, str) else place.conversation_id
            place = LineGroup(place.number + is_first, known)
        yield place, line


def _validated(line: Line, validate: Callable[[Any], T]) -> T:
    if line.fault:
        raise LineRefusal(line, line.fault)
    try:
        return validate(line.value)
    except APIError as error:
        raise LineRefusal(line, error.message) from error


def _user(username: str) -> AbstractBaseUser | None:
    """Told apart by each byte, as a database may not: nobody gets what is another's."""
    User = get_user_model()
    user = User._default_manager.filter(**{User.USERNAME_FIELD: username}).first()
    return user if user and user.get_username() == username else None
