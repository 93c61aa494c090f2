"""Pieces of an item as the transcript shows them. All of it is text: nothing is fetched, nothing is interpreted.

Stored data need not have the shape its type promises, so whatever isn't recognised is shown as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

Label = str | Promise

MAX_CHARACTERS = 150_000  # of one part; a page holds a hundred items
MAX_SHORT_CHARACTERS = 80
MAX_OPAQUE_CHARACTERS = 1_000
SHOWN_OPAQUE_CHARACTERS = 60

Renderer = Callable[[Label, Any], "list[Part]"]


@dataclass(frozen=True)
class Part:
    """`kind` names the template, `conversations/items/<kind>.html`."""

    kind: Literal["text", "code", "reference"]
    label: Label
    whole_text: str

    @property
    def template(self) -> str:
        return f"conversations/items/{self.kind}.html"

    @property
    def text(self) -> str:
        return self.whole_text[:MAX_CHARACTERS]

    @property
    def omitted_characters(self) -> int:
        return max(len(self.whole_text) - MAX_CHARACTERS, 0)


def as_json(label: Label, value: Any) -> list[Part]:
    text = json.dumps(_without_opaque(value), ensure_ascii=False, indent=2)
    # Arguments may hold escapes like \\ud800, which are no characters and which no page can be encoded with.
    return [Part("code", label, text.encode(errors="backslashreplace").decode())]


def as_code(label: Label, value: Any) -> list[Part]:
    return [Part("code", label, value)] if isinstance(value, str) else as_json(label, value)


def as_json_text(label: Label, value: Any) -> list[Part]:
    """Text that should be JSON, like a call's arguments: laid out if it is, else as it came."""
    if not isinstance(value, str):
        return as_json(label, value)
    if value.lstrip()[:1] not in ("{", "[") or len(value) > MAX_CHARACTERS:
        return as_code(label, value)
    try:
        return as_json(label, json.loads(value))
    except (ValueError, RecursionError):
        return as_code(label, value)


def as_opaque(label: Label, value: Any) -> list[Part]:
    """Base64 and the like, of which a person can read no more than the length."""
    return [Part("reference", label, _opaque(value))] if isinstance(value, str) else as_json(label, value)


def as_lines(label: Label, value: Any) -> list[Part]:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return [Part("text", label, "\n".join(value))] if value else []
    return as_json(label, value)


def as_content(label: Label, value: Any) -> list[Part]:
    """A text, or a list of text, image and file parts, as messages and outputs have it."""
    if isinstance(value, str):
        return [Part("text", label, value)]
    if isinstance(value, list):
        return [part for member in value for part in _content_part(label, member)]
    return as_json(label, value)


def as_outputs(label: Label, value: Any) -> list[Part]:
    """What came of code or shell commands: a list of logs, images, or pairs of stdout and stderr."""
    if not isinstance(value, list):
        return as_json_text(label, value)
    return [part for member in value for part in _output(label, member)]


def as_patch(label: Label, value: Any) -> list[Part]:
    match value:
        case {"type": str(operation), "path": str(path), "diff": str(diff), **rest}:
            return [Part("reference", operation, path), Part("code", _("Diff"), diff), *others(rest)]
    return as_json(label, value)


def as_commands(label: Label, value: Any) -> list[Part]:
    match value:
        case {"commands": [*commands], **rest} if all(isinstance(command, str) for command in commands):
            return [*(Part("code", label, command) for command in commands), *others(rest)]
    return as_json(label, value)


def others(members: dict[Any, Any]) -> list[Part]:
    """What else there is, but for what says nothing: what is short on a line of its own, the rest as JSON."""
    said = {name: value for name, value in members.items() if value not in (None, [], {})}
    lines = {name: value if isinstance(value, str) else json.dumps(value) for name, value in said.items()}
    short = {name: line for name, line in lines.items() if len(line) <= MAX_SHORT_CHARACTERS}
    rest = {name: value for name, value in said.items() if name not in short}
    shown = [Part("reference", name, line) for name, line in short.items()]
    return shown + (as_json(_("Other members"), rest) if rest else [])


def _content_part(label: Label, value: Any) -> Iterable[Part]:
    match value:
        case {
            "type": "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text",
            "text": str(text),
            **rest,
        }:
            annotations = rest.pop("annotations", None)
            yield Part("text", label, text)
            yield from _annotations(annotations)
        case {"type": "refusal", "refusal": str(refusal), **rest}:
            yield Part("text", _("Refusal"), refusal)
        case {"type": "input_image" | "computer_screenshot", **rest}:
            yield from _reference(_("image"), rest, ("image_url", "file_id"))
        case {"type": "input_file", **rest}:
            yield from _reference(_("file"), rest, ("filename", "file_id", "file_url", "file_data"))
        case _:
            yield from as_json(label, value)
            return
    yield from others(rest)


def _reference(label: Label, members: dict[Any, Any], names: Iterable[str]) -> Iterable[Part]:
    """Takes the named members out of `members` and shows those that are texts."""
    for name in names:
        if isinstance(members.get(name), str):
            yield Part("reference", label, _opaque(members.pop(name)))


def _annotations(value: Any) -> Iterable[Part]:
    if not isinstance(value, list):
        yield from others({"annotations": value})
        return
    for annotation in value:
        match annotation:
            case {"type": str(kind), **members} if all(isinstance(member, str | int) for member in members.values()):
                yield Part("reference", kind, " · ".join(f"{name}: {member}" for name, member in members.items()))
            case _:
                yield from as_json(_("Annotation"), annotation)


def _output(label: Label, value: Any) -> Iterable[Part]:
    match value:
        case {"type": "logs", "logs": str(logs), **rest}:
            yield Part("code", _("Logs"), logs)
        case {"type": "image", "url": str(url), **rest}:
            yield Part("reference", _("image"), _opaque(url))
        case {"stdout": str(stdout), "stderr": str(stderr), **rest}:
            yield Part("code", _("Standard output"), stdout)
            if stderr:
                yield Part("code", _("Standard error"), stderr)
        case _:
            yield from _content_part(label, value)
            return
    yield from others(rest)


def _opaque(text: str) -> str:
    if len(text) <= MAX_OPAQUE_CHARACTERS:
        return text
    length = ngettext("%(count)d character", "%(count)d characters", len(text)) % {"count": len(text)}
    return f"{text[:SHOWN_OPAQUE_CHARACTERS]}… ({length})"


def _without_opaque(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_opaque(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_without_opaque(member) for member in value]
    if isinstance(value, str) and not any(space in value for space in " \n"):
        return _opaque(value)
    return value
