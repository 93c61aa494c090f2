"""Export conversations as JSON Lines for import (see `schema.export_format`), or as CSV for spreadsheets."""

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

CONVERSATIONS = 200  # conversations per query
ITEMS = 100  # items per query, and the most that are in memory at a time: an item may have many megabytes

BOM = b"\xef\xbb\xbf"  # byte order mark, by which spreadsheets recognise UTF-8
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = {
    "csv": ["id", "owner", "created_at", "item_count", "last_item_at", "metadata"],
    "items-csv": ["conversation_id", "position", "item_id", "type", "role", "created_at", "text", "data"],
}


class ConversationChunk(NamedTuple):
    """A conversation with its items, or with the next items of a long one."""

    conversation: Conversation
    owner: str
    items: Sequence[Item]
    is_first: bool = True


class Export:
    """An export as an iterable of byte chunks, for a file or a `StreamingHttpResponse`.

    Conversations are in the order of their ids, each as it is when the export reaches it. Memory use depends neither on
    the number of conversations nor on that of items. An unbounded query raises an `APIError` at once, not in iteration.

    CSV is UTF-8 with a byte order mark, and its times are in UTC, to the second. A cell that a spreadsheet would run as
    a formula, because it begins with `=`, `+`, `-`, `@`, a tab or CR, gets a `'` in front.
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
        self.conversation_count = self.item_count = 0  # exported so far

    def __iter__(self) -> Iterator[bytes]:
        if self.format in COLUMNS:
            yield BOM + _csv([COLUMNS[self.format]])
        for chunks in self._chunks():
            self.conversation_count += sum(chunk.is_first for chunk in chunks)
            self.item_count += sum(len(chunk.items) for chunk in chunks)
            if self.format == "jsonl":
                yield b"".join(line for chunk in chunks for line in _json_lines(chunk))
            elif self.format == "csv":
                yield _csv(_conversation_row(chunk) for chunk in chunks)
            else:
                yield _csv(row for chunk in chunks for row in _item_rows(chunk))

    def _chunks(self) -> Iterator[list[ConversationChunk]]:
        for conversations in self._pages():
            owners = _usernames({conversation.owner_id for conversation in conversations})
            if not self.has_items:
                yield [
                    ConversationChunk(conversation, owners[conversation.owner_id], ()) for conversation in conversations
                ]
                continue
            for group in _group_by_item_count(conversations):
                is_short = group[0].item_count <= ITEMS
                chunks = _read_short(group, owners) if is_short else _read_long(group[0], owners[group[0].owner_id])
                yield from chunks

    def _pages(self) -> Iterator[list[Conversation]]:
        after, has_more = None, True
        while has_more:
            page = self.conversations.page(limit=CONVERSATIONS, order="asc", after=after, matching=self.query)
            if page.rows:
                yield page.rows
                after = page.rows[-1].pk
            has_more = page.has_more


def _usernames(owner_ids: set[Any]) -> dict[Any, str]:
    """Return the names of users by primary key, also of users that the default manager hides."""
    User = get_user_model()
    return dict(User._base_manager.filter(pk__in=owner_ids).values_list("pk", User.USERNAME_FIELD))


def _group_by_item_count(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    """Yield groups of adjacent conversations with at most `ITEMS` items in total, and longer conversations alone."""
    group: list[Conversation] = []
    count = 0
    for conversation in conversations:
        if group and count + conversation.item_count > ITEMS:
            yield group
            group, count = [], 0
        group.append(conversation)
        count += conversation.item_count
    if group:
        yield group


def _read_short(conversations: list[Conversation], owners: dict[Any, str]) -> Iterator[list[ConversationChunk]]:
    """Read all items of the conversations in one query. Set each `item_count` to the number of items read."""
    items: dict[str, list[Item]] = {conversation.pk: [] for conversation in conversations}
    positions = {conversation.pk: conversation.last_position for conversation in conversations}
    for item in Item.objects.filter(conversation__in=conversations).order_by("conversation_id", "position"):
        if (
            item.position <= positions[item.conversation_id]
        ):  # Later items were appended after the conversation was read.
            items[item.conversation_id].append(item)
    for conversation in conversations:
        conversation.item_count = len(items[conversation.pk])
    yield [
        ConversationChunk(conversation, owners[conversation.owner_id], items[conversation.pk])
        for conversation in conversations
    ]


def _read_long(conversation: Conversation, owner: str) -> Iterator[list[ConversationChunk]]:
    """Read a conversation in batches of `ITEMS` items."""
    rest = conversation.items.filter(position__lte=conversation.last_position).order_by("position")
    items = list(rest[:ITEMS])
    yield [ConversationChunk(conversation, owner, items)]
    while len(items) == ITEMS:
        items = list(rest.filter(position__gt=items[-1].position)[:ITEMS])
        yield [ConversationChunk(conversation, owner, items, is_first=False)]


def _json_lines(chunk: ConversationChunk) -> Iterator[bytes]:
    conversation = chunk.conversation
    if chunk.is_first:
        yield _json_line(
            {
                "object": "conversation",
                "id": conversation.pk,
                "owner": chunk.owner,
                "created_at": conversation.created_at,
                "metadata": conversation.metadata,
                "item_count": conversation.item_count,
                "last_position": conversation.last_position,
                "last_item_at": conversation.last_item_at,
            }
        )
    for item in chunk.items:
        yield _json_line(
            {
                "object": "conversation.item",
                "conversation_id": conversation.pk,
                "position": item.position,
                "created_at": item.created_at,
                "data": item.data,
            }
        )


def _json_line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def _conversation_row(chunk: ConversationChunk) -> list[Any]:
    conversation = chunk.conversation
    return [
        conversation.pk,
        chunk.owner,
        _time(conversation.created_at),
        conversation.item_count,
        _time(conversation.last_item_at),
        orjson.dumps(conversation.metadata).decode(),
    ]


def _item_rows(chunk: ConversationChunk) -> Iterator[list[Any]]:
    for item in chunk.items:
        yield [
            chunk.conversation.pk,
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
