"""Read an export line by line, and group the lines of each conversation (see `schema.export_format`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import count
from typing import IO, Any, NamedTuple

from conversations.conf import app_settings
from conversations.transfer.gzip_stream import READ_ERRORS

# A line may be longer than the request body that its item came in: `1e15` is exported with all of its digits.
GROWTH = 4


class Line(NamedTuple):
    """A line of the file, with its JSON or the reason why it has none."""

    number: int  # from 1
    length: int  # bytes
    value: Any
    error: str = ""

    @property
    def is_item(self) -> bool:
        return isinstance(self.value, dict) and self.value.get("object") == "conversation.item"


class LineGroup(NamedTuple):
    """A key that the lines of one conversation and its items share."""

    number: int  # conversations so far
    conversation_id: str


def read_lines(stream: IO[bytes]) -> Iterator[Line]:
    """Yield the lines that are not blank, at most one of them in memory, up to the end or the first read error."""
    maximum = GROWTH * app_settings.max_body_bytes
    for number in count(1):
        try:
            text = stream.readline(maximum + 1)
            length = len(text)
            while length > maximum and text and not text.endswith(b"\n"):
                text = stream.readline(maximum)
        except READ_ERRORS as error:
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


def group_lines(lines: Iterable[Line]) -> Iterator[tuple[LineGroup, Line]]:
    """Yield each line with its group. A line that names no conversation belongs to the group of the line before it."""
    group = LineGroup(0, "")
    for line in lines:
        if isinstance(line.value, dict):
            is_conversation = line.value.get("object") == "conversation"
            conversation_id = line.value.get("id" if is_conversation else "conversation_id")
            if not isinstance(conversation_id, str):
                conversation_id = group.conversation_id
            group = LineGroup(group.number + is_conversation, conversation_id)
        yield group, line
