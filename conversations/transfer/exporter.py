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

CONVERSATIONS_PER_QUERY = 200
# No more items than these are in memory at a time. The number is small because one item may have many megabytes.
ITEMS_PER_QUERY = 100

BOM = b"\xef\xbb\xbf"  # byte order mark; without it, Excel does not recognise UTF-8
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets may run text that begins so as a formula
COLUMNS = {
    "csv": ["id", "owner", "created_at", "item_count", "last_item_at", "metadata"],
    "items-csv": ["conversation_id", "position", "item_id", "type", "role", "created_at", "text", "data"],
}


class ConversationSegment(NamedTuple):
    """A conversation with all of its items, or with some consecutive items if it has more than `ITEMS_PER_QUERY`."""

    conversation: Conversation
    owner: str  # user name
    items: Sequence[Item]
    is_first: bool = True  # whether the conversation itself is still to be written


class Export:
    """An export as an iterable of byte chunks, for a file or a `StreamingHttpResponse`.

    Conversations are in the order of their ids. There is no snapshot: each is read when the export reaches it. Memory
    use depends neither on the number of conversations nor on that of items. Creating an export raises the errors of
    `ConversationQuerySet.matching`, so that no file is begun for a query that can't be answered.

    `with_items` applies to JSON Lines only; "csv" has no items and "items-csv" consists of them.

    CSV is UTF-8 with a byte order mark, and its times are in UTC, to the second. A cell that begins with one of
    `FORMULA_STARTS` gets a `'` in front, which makes spreadsheets treat it as text.
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
        self.matches = conversations.matching(query)  # for counting; `_pages` reads the conversations
        self.format = format
        self.has_items = with_items if format == "jsonl" else format == "items-csv"
        self.conversation_count = self.item_count = 0  # exported so far

    def __iter__(self) -> Iterator[bytes]:
        if self.format in COLUMNS:
            yield BOM + _csv([COLUMNS[self.format]])
        for batch in self._batches():
            self.conversation_count += sum(segment.is_first for segment in batch)
            self.item_count += sum(len(segment.items) for segment in batch)
            if self.format == "jsonl":
                yield b"".join(line for segment in batch for line in _json_lines(segment))
            elif self.format == "csv":
                yield _csv(_conversation_row(segment) for segment in batch)
            else:
                yield _csv(row for segment in batch for row in _item_rows(segment))

    def _batches(self) -> Iterator[list[ConversationSegment]]:
        """Yield batches that together have every conversation, and every item if the format has items.

        A batch has at most `ITEMS_PER_QUERY` items.
        """
        for conversations in self._pages():
            owners = _usernames(conversations)
            if not self.has_items:
                yield [
                    ConversationSegment(conversation, owners[conversation.owner_id], items=())
                    for conversation in conversations
                ]
                continue
            for group in _group_by_item_count(conversations):
                first = group[0]
                if first.item_count > ITEMS_PER_QUERY:  # It is alone in its group.
                    yield from _read_in_segments(first, owners[first.owner_id])
                else:
                    yield _read_whole(group, owners)

    def _pages(self) -> Iterator[list[Conversation]]:
        """Yield the matching conversations in pages, by keyset pagination."""
        after, has_more = None, True
        while has_more:
            page = self.conversations.page(limit=CONVERSATIONS_PER_QUERY, order="asc", after=after, matching=self.query)
            if page.rows:
                yield page.rows
                after = page.rows[-1].pk
            has_more = page.has_more


def _usernames(conversations: Sequence[Conversation]) -> dict[Any, str]:
    """Return the names of the owners by primary key, also of users that the default manager hides."""
    User = get_user_model()
    users = User._base_manager.using(conversations[0]._state.db)
    owners = users.filter(pk__in={conversation.owner_id for conversation in conversations})
    return dict(owners.values_list("pk", User.USERNAME_FIELD))


def _group_by_item_count(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    """Yield groups of adjacent conversations with at most `ITEMS_PER_QUERY` items in total.

    A conversation with more items than that is a group of its own.
    """
    group: list[Conversation] = []
    count = 0
    for conversation in conversations:
        if group and count + conversation.item_count > ITEMS_PER_QUERY:
            yield group
            group, count = [], 0
        group.append(conversation)
        count += conversation.item_count
    if group:
        yield group


def _read_whole(conversations: list[Conversation], owners: dict[Any, str]) -> list[ConversationSegment]:
    """Read all items of the conversations in one query.

    Items may have been appended or deleted since the conversations were read. Leave out appended ones, and set each
    `item_count` to the number of items read, because an import refuses a conversation with another number of items.
    """
    items: dict[str, list[Item]] = {conversation.pk: [] for conversation in conversations}
    last_positions = {conversation.pk: conversation.last_position for conversation in conversations}
    rows = Item.objects.using(conversations[0]._state.db).filter(conversation__in=conversations)
    for item in rows.order_by("conversation_id", "position"):
        if item.position <= last_positions[item.conversation_id]:
            items[item.conversation_id].append(item)
    for conversation in conversations:
        conversation.item_count = len(items[conversation.pk])
    return [
        ConversationSegment(conversation, owners[conversation.owner_id], items[conversation.pk])
        for conversation in conversations
    ]


def _read_in_segments(conversation: Conversation, owner: str) -> Iterator[list[ConversationSegment]]:
    """Read a conversation in batches of `ITEMS_PER_QUERY` items, without those appended since it was read.

    Its `item_count` is written before all items have been read, so an import refuses the conversation if one of them is
    deleted meanwhile.
    """
    rows = conversation.items.using(conversation._state.db).filter(position__lte=conversation.last_position)
    items_in_order = rows.order_by("position")
    items = list(items_in_order[:ITEMS_PER_QUERY])
    yield [ConversationSegment(conversation, owner, items)]
    while len(items) == ITEMS_PER_QUERY:
        items = list(items_in_order.filter(position__gt=items[-1].position)[:ITEMS_PER_QUERY])
        yield [ConversationSegment(conversation, owner, items, is_first=False)]


def _json_lines(segment: ConversationSegment) -> Iterator[bytes]:
    conversation = segment.conversation
    if segment.is_first:
        yield _json_line(
            {
                "object": "conversation",
                "id": conversation.pk,
                "owner": segment.owner,
                "created_at": conversation.created_at,
                "metadata": conversation.metadata,
                "item_count": conversation.item_count,
                "last_position": conversation.last_position,
                "last_item_at": conversation.last_item_at,
            }
        )
    for item in segment.items:
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


def _conversation_row(segment: ConversationSegment) -> list[Any]:
    conversation = segment.conversation
    return [
        conversation.pk,
        segment.owner,
        _time(conversation.created_at),
        conversation.item_count,
        _time(conversation.last_item_at),
        orjson.dumps(conversation.metadata).decode(),
    ]


def _item_rows(segment: ConversationSegment) -> Iterator[list[Any]]:
    for item in segment.items:
        yield [
            segment.conversation.pk,
            item.position,
            item.item_id,
            item.type,
            item.data.get("role", ""),
            _time(item.created_at),
            _text(item.data.get("content")),
            orjson.dumps(item.data).decode(),
        ]


def _text(content: Any) -> str:
    """Return the text parts of an item's content, one per line, and "" for an item without a list of parts."""
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
