"""Blocks, which make up the body of an item in a transcript, and renderers for text, code and JSON.

A renderer turns a member of an item into blocks. It fetches nothing and runs nothing. Stored data may differ from the
schema of its type; a value that a renderer does not recognize is shown as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import ngettext

from conversations.admin.charts import format_count
from conversations.rendering.json_tree import count_open_lines
from conversations.rendering.marks import Marker
from conversations.rendering.safe_urls import escape_bidi_controls

Label = str | Promise
BlockText = Literal["text", "markdown", "code", "json", "terminal", "diff", "steps"]
BlockKind = BlockText | Literal["field", "file", "link", "remote_image", "image", "group"]

MAX_CHARACTERS = 150_000  # per block
MAX_BLOCKS = 2_000  # per page; the templates of a thousand take a fifth of a second
MAX_LEVELS = 100  # A JSON text with deeper nesting is not indented: its lines would begin with more than 200 spaces.
MAX_OPAQUE_CHARACTERS = 1_000  # Longer encoded data, such as Base64, is truncated.
OPAQUE_PREVIEW_CHARACTERS = 60  # length of truncated encoded data
LONG_LINES = 20  # The page shows about 15 lines of a longer text, and a button for the others.
LINE_CHARACTERS = 90  # of a line on a wide screen, estimated: only the browser knows where lines break

# ANSI escape sequences: control sequences (colors, cursor), operating system commands (titles, links), and short ones.
ESCAPE_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # all but tab and line feed
ENCODER = json.JSONEncoder(ensure_ascii=False, indent=2)


@dataclass
class Block:
    """A text, image, link or group of blocks that the template `conversations/blocks/<kind>.html` renders.

    The page shows `text`, the first `limit` characters of `whole_text`. A page with much content lowers the limit of
    its later blocks (see `page_rendering`, which sets what follows after `limit`).
    """

    kind: BlockKind
    label: Label = ""
    whole_text: str = ""
    url: str = ""
    blocks: list[Block] = field(default_factory=list)
    value: Any = None  # of JSON
    language: str = ""  # of code
    file_key: str = ""  # of a file to download; see `stored_files`
    limit: int = MAX_CHARACTERS
    html: SafeString | None = None  # of Markdown, JSON or code, or None to show the plain text
    note: Label = ""
    name: str = ""  # of the member, as the API has it
    marker: Marker | None = None  # for what the reader searched for
    has_match: bool = False  # whether the block, or one inside it, has what the reader searched for

    @property
    def template(self) -> str:
        return f"conversations/blocks/{self.kind}.html"

    @property
    def text(self) -> str:
        return self.whole_text[: self.limit]

    @property
    def size(self) -> int:
        """The number of characters that the block adds to the page."""
        return min(len(self.whole_text), self.limit) + len(self.url)

    @property
    def limit_text(self) -> str:
        return format_count(self.limit)

    @property
    def is_truncated(self) -> bool:
        return len(self.whole_text) > self.limit

    @property
    def marked_text(self) -> str:
        return self._mark(self.text)

    @property
    def is_long(self) -> bool:
        if self.kind == "json" and self.html is not None:
            return count_open_lines(self.value) > LONG_LINES
        if len(self.whole_text) > LONG_LINES * LINE_CHARACTERS:
            return True
        return sum(1 + len(line) // LINE_CHARACTERS for line in self.whole_text.split("\n")) > LONG_LINES

    @property
    def terminal_text(self) -> str:
        """The text without ANSI escape sequences, and with a visible symbol such as ␀ for each control character."""
        plain = ESCAPE_SEQUENCES.sub("", self.text).replace("\r\n", "\n")
        return self._mark(CONTROLS.sub(_control_symbol, plain))

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The first character and the text of each line."""
        return [(line[:1], self._mark(line)) for line in self.text.splitlines()]

    def _mark(self, text: str) -> str:
        return self.marker.mark_text(text) if self.marker else text


Renderer = Callable[[Label, Any], list[Block]]  # takes the label and the value of an item's member


def flatten(blocks: Iterable[Block]) -> Iterable[Block]:
    """Yield the blocks, each followed by the blocks inside it."""
    for block in blocks:
        yield block
        yield from flatten(block.blocks)


def first_blocks(blocks: Iterable[Block], maximum: int) -> list[Block]:
    """Return the first blocks, at most `maximum` with those inside them, and drop the others."""
    first: list[Block] = []
    for block in blocks:
        if maximum <= 0:
            break
        block.blocks = first_blocks(block.blocks, maximum - 1)
        maximum -= sum(1 for _block in flatten([block]))
        first.append(block)
    return first


def render_each(render: Callable[[Label, Any], Iterable[Block]], label: Label, members: Iterable[Any]) -> list[Block]:
    """Render the members of a list. Stop when there are more blocks than a page shows."""
    return list(islice((block for member in members for block in render(label, member)), MAX_BLOCKS + 1))


def as_json(label: Label, value: Any) -> list[Block]:
    shown = truncate_opaque_members(value)
    return [Block("json", label, pretty_json(shown), value=shown)]


def as_text(label: Label, value: Any) -> list[Block]:
    return [Block("text", label, value)] if isinstance(value, str) else as_json(label, value)


def as_code(label: Label, value: Any, *, language: str = "") -> list[Block]:
    return [Block("code", label, value, language=language)] if isinstance(value, str) else as_json(label, value)


as_javascript = partial(as_code, language="javascript")
as_python = partial(as_code, language="python")


def as_terminal(label: Label, value: Any) -> list[Block]:
    return [Block("terminal", label, value)] if isinstance(value, str) else as_json(label, value)


def as_json_text(label: Label, value: Any) -> list[Block]:
    """Indent a text that is an array or object in JSON, such as the arguments of a call. Show any other text as it is.

    A text that is too long for a block, nested too deeply or not valid JSON is also shown as it is.
    """
    if not isinstance(value, str):
        return as_json(label, value)
    if value.lstrip()[:1] not in ("{", "[") or len(value) > MAX_CHARACTERS:
        return as_code(label, value)
    try:
        loaded = json.loads(value)
        return as_code(label, value) if _is_deep(loaded) else as_json(label, loaded)
    except (ValueError, RecursionError):
        return as_code(label, value)


def as_opaque(label: Label, value: Any) -> list[Block]:
    """Show encoded data such as Base64, or its beginning and its length if it is long."""
    return [Block("field", label, truncate_opaque(value))] if isinstance(value, str) else as_json(label, value)


def as_lines(label: Label, value: Any) -> list[Block]:
    """Show a list of strings as one text with a line for each, and nothing for an empty list."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return [Block("text", label, "\n".join(value))] if value else []
    return as_json(label, value)


def pretty_json(value: Any, *, indented: bool = True) -> str:
    """Return the value as JSON. Stop soon after `MAX_CHARACTERS`, because a block shows no more.

    Otherwise the indentation of a deep and wide value could fill the memory.
    """
    encoder = ENCODER if indented else json.JSONEncoder(ensure_ascii=False)
    chunks: list[str] = []
    length = 0
    for chunk in encoder.iterencode(value):
        chunks.append(chunk)
        length += len(chunk)
        if length > MAX_CHARACTERS:
            break
    text = "".join(chunks)
    # The arguments of a call may have the escape of a lone surrogate, such as \ud800. Python parses it to a character
    # that UTF-8 can't encode, so write it as an escape again.
    return text.encode(errors="backslashreplace").decode()


def truncate_opaque(text: str) -> str:
    """Return encoded data, or its beginning and its length if it has more than `MAX_OPAQUE_CHARACTERS`."""
    if len(text) <= MAX_OPAQUE_CHARACTERS:
        return escape_bidi_controls(text)
    length = ngettext("%(count)s character", "%(count)s characters", len(text)) % {"count": format_count(len(text))}
    return f"{escape_bidi_controls(text[:OPAQUE_PREVIEW_CHARACTERS])}… ({length})"


def _control_symbol(match: re.Match[str]) -> str:
    """Return the character's symbol in Unicode's block "Control Pictures", which begins at U+2400."""
    return chr(0x2421 if match[0] == "\x7f" else 0x2400 + ord(match[0]))


def _is_deep(value: Any, level: int = 1) -> bool:
    """Whether arrays and objects are nested more than `MAX_LEVELS` deep."""
    if not isinstance(value, dict | list):
        return False
    members = value.values() if isinstance(value, dict) else value
    return level > MAX_LEVELS or any(_is_deep(member, level + 1) for member in members)


def truncate_opaque_members(value: Any) -> Any:
    """Truncate each string in a JSON value that looks like encoded data: long, without a space or a line break."""
    if isinstance(value, dict):
        return {name: truncate_opaque_members(member) for name, member in value.items()}
    if isinstance(value, list):
        return [truncate_opaque_members(member) for member in value]
    if isinstance(value, str) and len(value) > MAX_OPAQUE_CHARACTERS and " " not in value and "\n" not in value:
        return truncate_opaque(value)
    return value
