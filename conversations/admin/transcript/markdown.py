"""Markdown of messages as HTML without anything that runs, loads or hides where it leads."""

from __future__ import annotations

import re
from collections.abc import Iterable

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from conversations.admin.transcript.safe_urls import is_mailto, web_host

MAX_CHARACTERS = 150_000
MAX_LEVELS = 100
MAX_COLUMNS = 60
MAX_ROWS = 2_000
MAX_BRACKETS = 1_500
MAX_HTML_CHARACTERS = 1_000_000
FIRST_HEADING_LEVEL = 4  # below the page, the transcript and the item

# Most messages have none of these, and look the same as plain text.
MARKS = re.compile(r"[*_`#\[<>|~\\&]|^ *(?:[-+=]|\d+[.)])|^(?: {4}|\t)", re.MULTILINE)

TAGS = {
    *("a", "blockquote", "br", "code", "em", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong", "ul"),
    *("small", "table", "tbody", "td", "th", "thead", "tr"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
REL = "noopener noreferrer nofollow"


def render(text: str) -> SafeString | None:
    """Return the text as safe HTML, or None if it has no markup or is too long or too deeply nested to render."""
    if len(text) > MAX_CHARACTERS or not MARKS.search(text) or _is_costly(text):
        return None
    try:
        tokens = PARSER.parse(text)
        if any(token.level >= MAX_LEVELS for token in _all(tokens)):
            return None
        _lower_headings(tokens)
        for token in tokens:
            if token.children:
                token.children = list(_with_hosts(token.children))
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
        # A wide table scrolls by itself, by keyboard too.
        set_tag_attribute_values={"a": {"target": "_blank"}, "table": {"tabindex": "0"}},
    )
    return mark_safe(clean)  # noqa: S308  # what this function is for


def _parser() -> MarkdownIt:
    # Below its limit of nesting the parser drops text, so that limit lies beyond ours.
    options = {"html": False, "breaks": True, "maxNesting": MAX_LEVELS + 10}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"]).disable("image")
    parser.validateLink = lambda url: bool(web_host(url)) or is_mailto(url)  # type: ignore[method-assign]
    return parser


PARSER = _parser()


def _is_costly(text: str) -> bool:
    """Brackets cost their number squared, and a table its rows times its columns, cells left out included."""
    pipes = [line.count("|") for line in text.splitlines() if "|" in line]
    return text.count("[") > MAX_BRACKETS or len(pipes) > MAX_ROWS or max(pipes, default=0) > MAX_COLUMNS


def _all(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _lower_headings(tokens: Iterable[Token]) -> None:
    """Headings start below the item's own and leave no level out."""
    outline: list[str] = []
    for token in tokens:
        if token.type == "heading_open":
            while outline and outline[-1] >= token.tag:
                outline.pop()
            outline.append(token.tag)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(FIRST_HEADING_LEVEL + len(outline) - 1, 6)}"


def _with_hosts(tokens: Iterable[Token]) -> Iterable[Token]:
    """After a link whose text doesn't begin with it, the host that it leads to."""
    host, said = "", ""
    for token in tokens:
        yield token
        if token.type == "link_open":
            host, said = web_host(token.attrGet("href")), ""
        elif token.type == "link_close":
            if host and not re.match(rf"\s*(https?://)?{re.escape(host)}(?![\w.@:-])", said, re.IGNORECASE):
                yield Token("text", "", 0, content=f" ({host})")
            host = ""
        else:
            said += token.content
