"""Markdown of messages as safe HTML: no scripts, no images, and every link shows its host."""

from __future__ import annotations

import re
from collections.abc import Iterable

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from conversations.admin.transcript.safe_urls import is_mailto, web_host

# A text beyond one of these limits is shown as plain text.
MAX_CHARACTERS = 150_000
MAX_LEVELS = 100
MAX_COLUMNS = 60
MAX_ROWS = 2_000
MAX_BRACKETS = 1_500
MAX_HTML_CHARACTERS = 1_000_000
FIRST_HEADING_LEVEL = 4  # below the headings of the page, the transcript and the item

# Most messages have none of these marks, and are not parsed because they would look the same.
MARKS = re.compile(r"[*_`#\[<>|~\\&]|^ *(?:[-+=]|\d+[.)])|^(?: {4}|\t)", re.MULTILINE)

TAGS = {
    *("a", "blockquote", "br", "code", "em", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong", "ul"),
    *("small", "table", "tbody", "td", "th", "thead", "tr"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
REL = "noopener noreferrer nofollow"


def render(text: str) -> SafeString | None:
    """Return the text as HTML, or None if it has no Markdown or is too long, deep or wide to be rendered."""
    if len(text) > MAX_CHARACTERS or not MARKS.search(text) or _is_costly(text):
        return None
    try:
        tokens = PARSER.parse(text)
        if any(token.level >= MAX_LEVELS for token in _walk(tokens)):
            return None
        _lower_headings(tokens)
        for token in tokens:
            if token.children:
                token.children = list(_add_hosts(token.children))
        html = PARSER.renderer.render(tokens, PARSER.options, {})
    except RecursionError:
        return None
    if len(html) > MAX_HTML_CHARACTERS:
        return None
    clean = nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel=REL,
        # The table's tabindex lets a keyboard scroll a wide table.
        set_tag_attribute_values={"a": {"target": "_blank"}, "table": {"tabindex": "0"}},
    )
    return mark_safe(clean)  # noqa: S308  # nh3 has cleaned it


def _parser() -> MarkdownIt:
    # The parser drops text that is nested more deeply than its limit, so its limit is above MAX_LEVELS.
    options = {"html": False, "breaks": True, "maxNesting": MAX_LEVELS + 10}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"]).disable("image")
    parser.validateLink = lambda url: bool(web_host(url)) or is_mailto(url)  # type: ignore[method-assign]
    return parser


PARSER = _parser()


def _is_costly(text: str) -> bool:
    """Whether parsing may take seconds.

    The time grows with the square of the number of brackets, and with a table's rows times its columns, because the
    parser adds missing cells.
    """
    pipes = [line.count("|") for line in text.splitlines() if "|" in line]
    return text.count("[") > MAX_BRACKETS or len(pipes) > MAX_ROWS or max(pipes, default=0) > MAX_COLUMNS


def _walk(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _lower_headings(tokens: Iterable[Token]) -> None:
    """Make headings start below the item's heading, and skip no level."""
    outline: list[str] = []
    for token in tokens:
        if token.type == "heading_open":
            while outline and outline[-1] >= token.tag:
                outline.pop()
            outline.append(token.tag)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(FIRST_HEADING_LEVEL + len(outline) - 1, 6)}"


def _add_hosts(tokens: Iterable[Token]) -> Iterable[Token]:
    """Add the host after each link whose text does not begin with it."""
    host, link_text = "", ""
    for token in tokens:
        yield token
        if token.type == "link_open":
            host, link_text = web_host(token.attrGet("href")), ""
        elif token.type == "link_close":
            if host and not re.match(rf"\s*(https?://)?{re.escape(host)}(?![\w.@:-])", link_text, re.IGNORECASE):
                yield Token("text", "", 0, content=f" ({host})")
            host = ""
        else:
            link_text += token.content
