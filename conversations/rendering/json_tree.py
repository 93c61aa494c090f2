"""JSON as a tree that folds without a script: each object and each array is a <details>, and its text is JSON.

A string with several lines is shown as lines. A script that copies the tree writes it as JSON again.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from html import escape
from typing import Any

from django.utils.formats import number_format
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import ngettext

MAX_LEVELS = 30
MAX_NODES = 5_000  # per page
MAX_HTML_CHARACTERS = 500_000  # per page
OPEN_LINES = 15  # of a tree at first; the objects and arrays below are closed
LINE_CHARACTERS = 90
MAX_INLINE_CHARACTERS = 70  # about, of an object or an array that is shown on one line

# Shown as text, these control characters would be lost or, like U+0000, replaced.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class LimitExceededError(Exception):
    """The value is nested too deeply, or has more than a page may have."""


class JSONTrees:
    """The trees of one page, which share the limits."""

    def __init__(self) -> None:
        self._nodes_left = MAX_NODES
        self._characters_left = MAX_HTML_CHARACTERS

    def render(self, value: Any, *, is_open: bool = False) -> SafeString | None:
        """Return the value as HTML, or None if it exceeds a limit.

        The outermost object or array is open, and so are as many others as fit into `OPEN_LINES`, or all of them.
        """
        try:
            nodes = _count_nodes(value, self._nodes_left)
            chunks, left = [], self._characters_left
            for chunk in _chunks("", value, "", None if is_open else _first_lines(value)):
                chunks.append(chunk)
                left -= len(chunk)
                if left < 0:
                    return None
        except LimitExceededError:
            return None
        self._nodes_left -= nodes
        self._characters_left = left
        return mark_safe("".join(chunks))  # noqa: S308  # of escaped texts


def _chunks(label: str, value: Any, comma: str, open_ids: set[int] | None) -> Iterator[str]:
    """Yield the HTML of a member: its label, its value and a comma. `open_ids` is None if everything is open."""
    if not _is_folding(value):
        yield f"<div>{label}{_inline(value)}{comma}</div>\n"
        return
    start, end = ("{", "}") if isinstance(value, dict) else ("[", "]")
    is_open = " open" if open_ids is None or id(value) in open_ids else ""
    yield f"<details{is_open}><summary>{label}{start}<span> {_count_text(value)} {end}{comma}</span></summary>\n<div>"
    last = len(value) - 1
    for number, (name, member) in enumerate(_members(value)):
        yield from _chunks(name, member, "" if number == last else ",", open_ids)
    yield f"</div>\n<div>{end}{comma}</div></details>\n"


def _members(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the members of an object or an array, each with the HTML of its label."""
    if isinstance(value, list):
        yield from (("", member) for member in value)
        return
    for name, member in value.items():
        yield f'<span class="hl-name">{_json(str(name))}</span>: ', member


def _is_folding(value: Any) -> bool:
    """Whether the value is an object or an array that is too long for one line, or has others in it."""
    if not isinstance(value, dict | list):
        return False
    characters = 2 * len(value) + (sum(map(len, value)) if isinstance(value, dict) else 0)
    for member in _values(value):
        if (isinstance(member, dict | list) and member) or characters > MAX_INLINE_CHARACTERS:
            return True
        characters += len(member) + 2 if isinstance(member, str) else 4
        if isinstance(member, str) and "\n" in member:
            return True
    return characters > MAX_INLINE_CHARACTERS


def _inline(value: Any) -> str:
    if not isinstance(value, dict | list):
        return _scalar(value)
    start, end = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return f"{start}{', '.join(f'{label}{_scalar(member)}' for label, member in _members(value))}{end}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        if "\n" in value and not CONTROLS.search(value):
            return f'<pre class="hl-string" data-lines>\n{_escape(value)}</pre>'
        return f'<span class="hl-string">{_json(value)}</span>'
    return _json(value) if value in ({}, []) else f'<span class="hl-number">{_json(value)}</span>'


def _json(value: Any) -> str:
    return _escape(json.dumps(value, ensure_ascii=False))


def _escape(text: str) -> str:
    """Escape the text for HTML, and lone surrogates, which UTF-8 can't encode."""
    return escape(text, quote=False).encode(errors="backslashreplace").decode()


def _count_text(value: dict[str, Any] | list[Any]) -> str:
    count = number_format(len(value), force_grouping=True)
    return escape(ngettext("%(count)s entry", "%(count)s entries", len(value)) % {"count": count})


def _count_nodes(value: Any, maximum: int) -> int:
    """Return the number of values in the value. Raise `LimitExceededError` if it has too many values or levels."""
    count, level = 0, [value]
    for _level in range(MAX_LEVELS):
        count += len(level)
        if count > maximum:
            raise LimitExceededError
        level = [member for parent in level for member in _values(parent)]
        if not level:
            return count
    raise LimitExceededError


def _values(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _first_lines(value: Any) -> set[int]:
    """Return the ids of the objects and arrays to open: the outermost one, and the next ones while their lines fit."""
    open_ids: set[int] = set()
    lines_left = OPEN_LINES
    queue = deque([value])
    while queue:
        parent = queue.popleft()
        lines = count_open_lines(parent)
        if open_ids and lines > lines_left:
            continue
        open_ids.add(id(parent))
        lines_left -= lines
        queue.extend(filter(_is_folding, _values(parent)))
    return open_ids


def count_open_lines(value: Any) -> int:
    """Return about how many lines an object or array has if it is open and those in it are closed."""
    return 1 + sum(map(_count_lines, _values(value)))


def _count_lines(value: Any) -> int:
    if not isinstance(value, str):
        return 1
    return sum(1 + len(line) // LINE_CHARACTERS for line in value.split("\n"))
