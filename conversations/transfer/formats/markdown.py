"""A Markdown file that people read. Texts are quoted, so that a message can't look like the heading of another one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from conversations.models import Item
from conversations.transfer.formats.base import FileFormat
from conversations.transfer.formats.readable import Part, readable_item
from conversations.transfer.segments import ConversationSegment, format_time

LINE_ENDS = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


class MarkdownFile(FileFormat):
    def write(self, segments: Iterable[ConversationSegment]) -> bytes:
        return "".join(block for segment in segments for block in _blocks(segment)).encode()


def _blocks(segment: ConversationSegment) -> Iterator[str]:
    """Yield Markdown that ends with a blank line."""
    if segment.is_first:
        conversation = segment.conversation
        yield f"# {conversation.pk}\n\n"
        yield f"- Owner: {_code(segment.owner)}\n"
        yield f"- Created: {format_time(conversation.created_at)} UTC\n"
        yield f"- Items: {conversation.item_count:,}\n"
        yield from (f"- {_code(key)}: {_code(value)}\n" for key, value in conversation.metadata.items())
        yield "\n"
    for item in segment.items:
        yield from _item_blocks(item)


def _item_blocks(item: Item) -> Iterator[str]:
    readable = readable_item(item.data)
    facts = (f", {_code(name)}: {_code(value)}" for name, value in readable.facts)
    yield f"## {item.position}. {_plain(readable.title)}\n\n{format_time(item.created_at)} UTC{''.join(facts)}\n\n"
    for part in readable.parts:
        if part.label and part.kind != "image":
            yield f"**{_plain(part.label)}**\n\n"
        yield _part_block(part)


def _part_block(part: Part) -> str:
    if part.kind == "image":
        return f"![{_plain(part.label)}]({part.text})\n\n"
    if part.kind == "prose":
        return "".join(f"> {line}".rstrip(" ") + "\n" for line in LINE_ENDS.split(part.text)) + "\n"
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", part.text)), default=0))
    return f"{fence}\n{part.text}\n{fence}\n\n"


def _code(text: str) -> str:
    """Return the text as a code span on one line."""
    text = LINE_ENDS.sub(" ", text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    padding = " " if not text or text[0] in " `" or text[-1] in " `" else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def _plain(text: str) -> str:
    """Return the text without characters that have a meaning in Markdown."""
    return re.sub(r"[^\w -]", "", text)
