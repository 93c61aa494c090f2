"""Pieces of an item as the transcript shows them, and the plainest ways to make them.

Nothing is fetched and nothing is run. Stored data need not have the shape its type promises, so whatever isn't
recognised is shown as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from conversations.admin.transcript import markdown
from conversations.admin.transcript.safe_urls import with_visible_controls

Label = str | Promise
BlockKind = Literal[
    "text", "markdown", "code", "terminal", "diff", "steps", "reference", "link", "remote", "image", "group"
]

MAX_CHARACTERS = 150_000  # of one part
MAX_LEVELS = 100
MAX_SHORT_CHARACTERS = 80
MAX_OPAQUE_CHARACTERS = 1_000
SHOWN_OPAQUE_CHARACTERS = 60
LONG_CHARACTERS = 3_000
LONG_LINES = 40
PREVIEW_CHARACTERS = 160

ESCAPE_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
ENCODER = json.JSONEncoder(ensure_ascii=False, indent=2)


@dataclass
class Block:
    """`kind` names the template, `conversations/parts/<kind>.html`."""

    kind: BlockKind
    label: Label = ""
    whole_text: str = ""
    url: str = ""
    parts: list[Block] = field(default_factory=list)
    limit: int = MAX_CHARACTERS

    @property
    def template(self) -> str:
        return f"conversations/parts/{self.kind}.html"

    @property
    def text(self) -> str:
        return self.whole_text[: self.limit]

    @property
    def size(self) -> int:
        """How much of the page it takes."""
        return min(len(self.whole_text), self.limit) + len(self.url)

    @property
    def is_cut(self) -> bool:
        return len(self.whole_text) > self.limit

    @property
    def is_long(self) -> bool:
        return len(self.whole_text) > LONG_CHARACTERS or self.whole_text.count("\n", 0, LONG_CHARACTERS) > LONG_LINES

    @property
    def preview(self) -> str:
        return " ".join(self.whole_text[: PREVIEW_CHARACTERS * 2].split())[:PREVIEW_CHARACTERS]

    @property
    def html(self) -> SafeString | None:
        return None if self.is_cut else markdown.render(self.whole_text)

    @property
    def terminal_text(self) -> str:
        """Without colours and the like, and with pictures of what else a terminal would obey."""
        plain = ESCAPE_SEQUENCES.sub("", self.text).replace("\r\n", "\n")
        return CONTROLS.sub(lambda found: chr(0x2421 if found[0] == "\x7f" else 0x2400 + ord(found[0])), plain)

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


Renderer = Callable[[Label, Any], list[Block]]


def flatten(parts: Iterable[Block]) -> Iterable[Block]:
    for part in parts:
        yield part
        yield from flatten(part.parts)


def as_json(label: Label, value: Any) -> list[Block]:
    return [Block("code", label, pretty_json(_without_opaque(value)))]


def as_text(label: Label, value: Any) -> list[Block]:
    return [Block("text", label, value)] if isinstance(value, str) else as_json(label, value)


def as_code(label: Label, value: Any) -> list[Block]:
    return [Block("code", label, value)] if isinstance(value, str) else as_json(label, value)


def as_terminal(label: Label, value: Any) -> list[Block]:
    return [Block("terminal", label, value)] if isinstance(value, str) else as_json(label, value)


def as_json_text(label: Label, value: Any) -> list[Block]:
    """Text that should be JSON, like a call's arguments: laid out if it is, else as it came."""
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
    """Base64 and the like, of which a person can read no more than the length."""
    return [Block("reference", label, truncate_opaque(value))] if isinstance(value, str) else as_json(label, value)


def as_lines(label: Label, value: Any) -> list[Block]:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return [Block("text", label, "\n".join(value))] if value else []
    return as_json(label, value)


def remaining_fields(members: dict[Any, Any]) -> list[Block]:
    """Return blocks for all non-empty members: a line for each short one, and one JSON block for the others."""
    said = {name: value for name, value in members.items() if value not in (None, [], {})}
    lines = {
        name: value if isinstance(value, str) else pretty_json(value, indented=False) for name, value in said.items()
    }
    short = {name: line for name, line in lines.items() if len(line) <= MAX_SHORT_CHARACTERS}
    rest = {name: value for name, value in said.items() if name not in short}
    shown = [Block("reference", name, with_visible_controls(line)) for name, line in short.items()]
    return shown + (as_json(_("Other members"), rest) if rest else [])


def pretty_json(value: Any, *, indented: bool = True) -> str:
    """JSON, cut soon after what is shown of it: deep and wide values could fill the memory with their margins."""
    encoder = ENCODER if indented else json.JSONEncoder(ensure_ascii=False)
    chunks: list[str] = []
    length = 0
    for chunk in encoder.iterencode(value):
        chunks.append(chunk)
        length += len(chunk)
        if length > MAX_CHARACTERS:
            break
    text = "".join(chunks)
    # Arguments may hold escapes like \\ud800, which are no characters and which no page can be encoded with.
    return text.encode(errors="backslashreplace").decode()


def truncate_opaque(text: str) -> str:
    if len(text) <= MAX_OPAQUE_CHARACTERS:
        return with_visible_controls(text)
    length = ngettext("%(count)d character", "%(count)d characters", len(text)) % {"count": len(text)}
    return f"{with_visible_controls(text[:SHOWN_OPAQUE_CHARACTERS])}… ({length})"


def _is_deep(value: Any, level: int = 1) -> bool:
    if not isinstance(value, dict | list):
        return False
    members = value.values() if isinstance(value, dict) else value
    return level > MAX_LEVELS or any(_is_deep(member, level + 1) for member in members)


def _without_opaque(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_opaque(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_without_opaque(member) for member in value]
    if isinstance(value, str) and len(value) > MAX_OPAQUE_CHARACTERS and " " not in value and "\n" not in value:
        return truncate_opaque(value)
    return value
