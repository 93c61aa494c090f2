"""CSV for spreadsheets: UTF-8 with a byte order mark, and times in UTC, to the second.

A cell that begins with one of `FORMULA_STARTS` gets a `'` in front, which makes spreadsheets treat it as text. U+FFFD
stands for NUL characters, because spreadsheets can't read them; only the JSON in the column "data" has them escaped.
"""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any, ClassVar

import orjson

from conversations.schema.json_limits import replace_nul
from conversations.transfer.formats.base import FileFormat
from conversations.transfer.segments import ConversationSegment, format_time

BOM = b"\xef\xbb\xbf"  # byte order mark; without it, Excel does not recognise UTF-8
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # spreadsheets may run text that begins so as a formula


class ConversationRows(FileFormat):
    """A row for each conversation, without its items."""

    has_items = False
    columns: ClassVar = ["id", "owner", "end_user", "created_at", "item_count", "last_item_at", "metadata"]

    def begin(self) -> bytes:
        return BOM + _csv([self.columns])

    def write(self, segments: Iterable[ConversationSegment]) -> bytes:
        return _csv(row for segment in segments for row in self.rows(segment))

    def rows(self, segment: ConversationSegment) -> Iterator[list[Any]]:
        conversation = segment.conversation
        yield [
            conversation.pk,
            segment.owner,
            conversation.end_user or "",
            format_time(conversation.created_at),
            conversation.item_count,
            format_time(conversation.last_item_at),
            orjson.dumps(conversation.metadata).decode(),
        ]


class ItemRows(ConversationRows):
    """A row for each item."""

    has_items = True
    columns: ClassVar = ["conversation_id", "position", "item_id", "type", "role", "created_at", "text", "data"]

    def rows(self, segment: ConversationSegment) -> Iterator[list[Any]]:
        for item in segment.items:
            yield [
                segment.conversation.pk,
                item.position,
                item.item_id,
                item.type,
                item.data.get("role", ""),
                format_time(item.created_at),
                _text(item.data.get("content")),
                orjson.dumps(item.data).decode(),
            ]


def _text(content: Any) -> str:
    """Return the text parts of an item's content, one per line, and "" for an item without a list of parts."""
    texts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "\n".join(text for text in texts if isinstance(text, str))


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    value = replace_nul(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
