"""The list of pairs that shows metadata."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext


def render_pairs(
    metadata: Any, *, url_of: Callable[[str, str], str] | None = None, maximum: int | None = None
) -> SafeString | str:
    """Return the metadata as an HTML list of `key = value`, each linked by `url_of`.

    After `maximum` pairs, the list says how many more there are, and unfolds to show them.
    """
    if not isinstance(metadata, dict):
        return json.dumps(metadata, ensure_ascii=False)
    if not metadata:
        return ""
    pairs = list(metadata.items())
    shown, others = (pairs, []) if maximum is None else (pairs[:maximum], pairs[maximum:])
    entries = _entries(shown, url_of)
    if others:
        more = '<li class="conversations-more"><details><summary>+{}</summary><ul>{}</ul></details></li>'
        entries += format_html(more, len(others), _entries(others, url_of))
    return format_html('<ul class="conversations-pairs">{}</ul>', entries)


def pair_link(text: str, key: str, value: str, url_of: Callable[[str, str], str]) -> SafeString:
    """Return a link to the list with the condition that the key has this value."""
    title = gettext("Only conversations with “%(key)s” = “%(value)s”") % {"key": key, "value": value}
    return format_html('<a class="conversations-pair" href="{}" title="{}">{}</a>', url_of(key, value), title, text)


def _entries(pairs: list[tuple[str, Any]], url_of: Callable[[str, str], str] | None) -> SafeString:
    return format_html_join("", "<li>{}</li>", ((_pair(key, value, url_of),) for key, value in pairs))


def _pair(key: str, value: Any, url_of: Callable[[str, str], str] | None) -> SafeString:
    pair = format_html("<b>{}</b> = {}", key, value)
    return pair if url_of is None or not isinstance(value, str) else pair_link(pair, key, value, url_of)
