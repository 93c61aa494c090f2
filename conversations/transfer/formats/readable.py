"""The parts of an item that people read, for formats without a way back: texts, code, images, and the rest as JSON.

Nothing is hidden: a member of an item is among the texts, the facts or the JSON. Only empty members are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from conversations.schema.items import ITEM_TYPES
from conversations.schema.json_limits import replace_nul

MAX_FACT_CHARACTERS = 80  # A longer text gets a block of its own.
PROSE = ("message", "reasoning")  # types whose texts are Markdown
DATA_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}\Z")


@dataclass(frozen=True)
class Part:
    kind: Literal["prose", "code", "image"]
    text: str  # or the data URL of an image
    label: str = ""


@dataclass(frozen=True)
class ReadableItem:
    title: str
    facts: list[tuple[str, str]]
    parts: list[Part]


def readable_item(data: dict[str, Any]) -> ReadableItem:
    """Return the parts of the item, with U+FFFD for NUL characters."""
    data = replace_nul(data)
    item_type = str(data.get("type", ""))
    title = str(data.get("role") if item_type == "message" else item_type).replace("_", " ").capitalize()
    registered = ITEM_TYPES.get(item_type)
    # Short names among the searchable members, such as a function's, are facts.
    readable = [name for name in registered.searchable if name in data] if registered else []
    parts: list[Part] = []
    facts: list[tuple[str, str]] = []
    rest: dict[str, Any] = {}
    for name, value in data.items():
        if name == "type" or (name == "role" and item_type == "message") or value in (None, "", [], {}):
            continue
        if name in readable and not (isinstance(value, str) and name == "name"):
            label = "" if item_type == "message" else name.replace("_", " ").capitalize()
            parts += _parts(value, label=label, is_prose=item_type in PROSE)
        elif isinstance(value, bool | int | float) or (isinstance(value, str) and _is_short(value)):
            facts.append((name, value if isinstance(value, str) else json.dumps(value)))
        else:
            rest[name] = value
    if rest:
        parts.append(Part("code", pretty_json(rest), "Other members"))
    return ReadableItem(title, facts, parts)


def pretty_json(value: Any) -> str:
    # A text that is JSON may have the escape of a lone surrogate, and UTF-8 can't encode the character.
    return json.dumps(value, ensure_ascii=False, indent=2).encode(errors="backslashreplace").decode()


def _parts(value: Any, *, label: str, is_prose: bool) -> Iterator[Part]:
    if isinstance(value, str):
        yield _text(value, label=label, is_prose=is_prose)
    elif isinstance(value, list):
        for member in value:
            yield from _content_part(member, label=label, is_prose=is_prose)
    else:
        yield Part("code", pretty_json(value), label)


def _content_part(part: Any, *, label: str, is_prose: bool) -> Iterator[Part]:
    """Yield the text or image of a part, followed by its other members."""
    if not isinstance(part, dict):
        yield from _parts(part, label=label, is_prose=is_prose) if isinstance(part, str) else [_json(part, label)]
        return
    rest = {name: value for name, value in part.items() if value not in (None, "", [], {})}
    if isinstance(part.get("text"), str):
        rest.pop("text", None)
        yield _text(part["text"], label=label, is_prose=is_prose)
    elif isinstance(part.get("refusal"), str):
        rest.pop("refusal", None)
        yield _text(part["refusal"], label="Refusal", is_prose=is_prose)
    elif DATA_IMAGE.match(image := str(part.get("image_url"))):
        del rest["image_url"]
        yield Part("image", image, label or "Image")
    else:
        yield _json(rest, label)
        return
    rest.pop("type", None)
    if rest:
        yield _json(rest, "Details")


def _text(text: str, *, label: str, is_prose: bool) -> Part:
    """Return prose as it is, and any other text as code, indented if it is JSON."""
    if is_prose:
        return Part("prose", text, label)
    if text.lstrip().startswith(("{", "[")):
        try:
            return Part("code", pretty_json(json.loads(text)), label)
        except (RecursionError, ValueError):
            pass
    return Part("code", text, label)


def _json(value: Any, label: str) -> Part:
    return Part("code", pretty_json(value), label)


def _is_short(text: str) -> bool:
    return len(text) <= MAX_FACT_CHARACTERS and text.isprintable()
