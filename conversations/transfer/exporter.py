"""Conversations as bytes: JSON Lines that can be imported (see `schema.export_format`), or CSV for spreadsheets."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any, Literal, NamedTuple

import orjson
from django.contrib.auth import get_user_model

from conversations.models import Conversation, ConversationQuerySet, Item
from conversations.schema.query.nodes import EVERYTHING, Query

Format = Literal["jsonl", "csv", "items-csv"]

CONVERSATIONS = 200  # read at once
ITEMS = 100  # read at once, and all that are in memory: some are of many megabytes

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = {
    "csv": ["id", "owner", "created_at", "item_count", "last_item_at", "metadata"],
    "items-csv": ["conversation_id", "position", "item_id", "type", "role", "created_at", "text", "data"],
}


class ConversationChunk(NamedTuple):
    """A conversation and its items, or some of the items of a long one."""

    conversation: Conversation
    owner: str
    items: Sequence[Item]
    is_first: bool = True


class Export:
    """The conversations that match, in the order of their ids, as chunks of bytes: a `StreamingHttpResponse` takes it.

    Memory grows neither with the number of conversations nor with that of items. Each conversation is as it was when
    it was reached. A condition that may not be asked is an `APIError` at once, before the first chunk.

    CSV is UTF-8 with the mark by which spreadsheets know it. Times are in UTC, to the second. A cell that would be
    taken for a formula, because it begins with `=`, `+`, `-`, `@`, a tab or CR, has a `'` before it.
    """

    def __init__(
        self,
        conversations: ConversationQuerySet,
        *,
        query: Query = EVERYTHING,
        format: Format = "jsonl",
        with_items: bool = True,
    ) -> None:
        self.conversations = conversations
        self.query = query
        self.matches = conversations.matching(query)
        self.format = format
        self.has_items = with_items if format == "jsonl" else format == "items-csv"
        self.conversation_count = self.item_count = 0  # of what was exported so far

    def __iter__(self) -> Iterator[bytes]:
        if self.format in COLUMNS:
            yield b"\xef\xbb\xbf" + _csv([COLUMNS[self.format]])
        for parts in self._parts():
            self.conversation_count += sum(part.is_first for part in parts)
            self.item_count += sum(len(part.items) for part in parts)
            if self.format == "jsonl":
                yield b"".join(line for part in parts for line in _lines(part))
            elif self.format == "csv":
                yield _csv(_conversation_row(part) for part in parts)
            else:
                yield _csv(row for part in parts for row in _item_rows(part))

    def _parts(self) -> Iterator[list[ConversationChunk]]:
        for conversations in self._pages():
            owners = _usernames({conversation.owner_id for conversation in conversations})
            if not self.has_items:
                yield [
                    ConversationChunk(conversation, owners[conversation.owner_id], ()) for conversation in conversations
                ]
                continue
            for run in _runs(conversations):
                parts = _short(run, owners) if run[0].item_count <= ITEMS else _long(run[0], owners[run[0].owner_id])
                yield from parts

    def _pages(self) -> Iterator[list[Conversation]]:
        after, has_more = None, True
        while has_more:
            page = self.conversations.page(limit=CONVERSATIONS, order="asc", after=after, matching=self.query)
            if page.rows:
                yield page.rows
                after = page.rows[-1].pk
            has_more = page.has_more


def _usernames(owner_ids: set[Any]) -> dict[Any, str]:
    User = get_user_model()
    return dict(User._base_manager.filter(pk__in=owner_ids).values_list("pk", User.USERNAME_FIELD))


def _runs(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    """Neighbours that have `ITEMS` items together at most, and each longer one alone."""
    run: list[Conversation] = []
    count = 0
    for conversation in conversations:
        if run and count + conversation.item_count > ITEMS:
            yield run
            run, count = [], 0
        run.append(conversation)
        count += conversation.item_count
    if run:
        yield run


def _short(conversations: list[Conversation], owners: dict[Any, str]) -> Iterator[list[ConversationChunk]]:
    items: dict[str, list[Item]] = {conversation.pk: [] for conversation in conversations}
    positions = {conversation.pk: conversation.last_position for conversation in conversations}
    for item in Item.objects.filter(conversation__in=conversations).order_by("conversation_id", "position"):
        if item.position <= positions[item.conversation_id]:  # later ones were appended meanwhile
            items[item.conversation_id].append(item)
    for conversation in conversations:
        conversation.item_count = len(items[conversation.pk])
    yield [ConversationChunk(each, owners[each.owner_id], items[each.pk]) for each in conversations]


def _long(conversation: Conversation, owner: str) -> Iterator[list[ConversationChunk]]:
    rest = conversation.items.filter(position__lte=conversation.last_position).order_by("position")
    items = list(rest[:ITEMS])
    yield [ConversationChunk(conversation, owner, items)]
    while len(items) == ITEMS:
        items = list(rest.filter(position__gt=items[-1].position)[:ITEMS])
        yield [ConversationChunk(conversation, owner, items, is_first=False)]


def _lines(part: ConversationChunk) -> Iterator[bytes]:
    conversation = part.conversation
    if part.is_first:
        yield _line(
            {
                "object": "conversation",
                "id": conversation.pk,
                "owner": part.owner,
                "created_at": conversation.created_at,
                "metadata": conversation.metadata,
                "item_count": conversation.item_count,
                "last_position": conversation.last_position,
                "last_item_at": conversation.last_item_at,
            }
        )
    for item in part.items:
        yield _line(
            {
                "object": "conversation.item",
                "conversation_id": conversation.pk,
                "position": item.position,
                "created_at": item.created_at,
                "data": item.data,
            }
        )


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def _conversation_row(part: ConversationChunk) -> list[Any]:
    conversation = part.conversation
    return [
        conversation.pk,
        part.owner,
        _time(conversation.created_at),
        conversation.item_count,
        _time(conversation.last_item_at),
        orjson.dumps(conversation.metadata).decode(),
    ]


def _item_rows(part: ConversationChunk) -> Iterator[list[Any]]:
    for item in part.items:
        yield [
            part.conversation.pk,
            item.position,
            item.item_id,
            item.type,
            item.data.get("role", ""),
            _time(item.created_at),
            _text(item.data.get("content")),
            orjson.dumps(item.data).decode(),
        ]


def _text(content: Any) -> str:
    """Return the text parts of a message content, one per line."""
    texts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "\n".join(text for text in texts if isinstance(text, str))


def _time(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if time else ""


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
