"""Markdown of messages as safe HTML: no scripts, no images, and every link shows its host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

import nh3
from django.utils.safestring import SafeString, mark_safe
from pyromark import Markdown, Options
from pyromark.event import Event

from conversations.rendering.highlight import CSS_CLASSES, Highlighter, language_name
from conversations.rendering.safe_urls import is_mailto, web_host

# A message may be written to keep the server busy. The parser's time grows with the characters of the text and with the
# cells of its tables, and the time of all other steps with the characters of the HTML. So limits bound a page's time.
MAX_HTML_CHARACTERS = 500_000  # of all messages on the page
MAX_CELLS = 500_000  # per message; the parser fills up each row of a table
MAX_LEVELS = 100
INTERNATIONAL_HOST_COST = 10  # To encode a character of such a host takes as long as to write this many characters.
FIRST_HEADING_LEVEL = 4  # below the headings of the page, the transcript and the item

# Most messages have none of these marks, and are not parsed because they would look the same.
MARKS = re.compile(r"[*_`#\[<>|~\\&]|^ *(?:[-+=]|\d+[.)])|^(?: {4}|\t)", re.MULTILINE)

PARSER = Markdown(options=Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH | Options.ENABLE_TASKLISTS)
HEAD_END = "</tr></thead><tbody>\n"
CODE_END = "</code></pre>\n"
ELEMENTS: Mapping[str, tuple[str, str]] = {  # what to write at the start and at the end
    "Emphasis": ("<em>", "</em>"),
    "HtmlBlock": ("<p>", "</p>\n"),
    "Item": ("<li>", "</li>\n"),
    "Paragraph": ("<p>", "</p>\n"),
    "Strikethrough": ("<s>", "</s>"),
    "Strong": ("<strong>", "</strong>"),
    "TableCell": ("<td>", "</td>"),
    "TableHead": ("<thead><tr>", HEAD_END),
    "TableRow": ("<tr>", "</tr>\n"),
}
TAGS = {
    *("a", "blockquote", "br", "code", "em", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong", "ul"),
    *("span", "table", "tbody", "td", "th", "thead", "tr"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "pre": {"data-language"}}
REL = "noopener noreferrer nofollow"


class LimitExceededError(Exception):
    """The Markdown is nested too deeply, or more than a page may have."""


def has_marks(text: str) -> bool:
    """Whether the text may look different as Markdown."""
    return bool(MARKS.search(text))


class MarkdownPage:
    """The Markdown of the messages on one page, which share the limit of the HTML's characters.

    Code that names its language is highlighted if there is a highlighter.
    """

    def __init__(self, highlighter: Highlighter | None = None) -> None:
        self._characters_left = MAX_HTML_CHARACTERS
        self._highlighter = highlighter

    def render(self, text: str) -> SafeString | None:
        """Return the text as HTML, or None if it exceeds a limit."""
        columns = max(line.count("|") for line in text.split("\n")) + 1
        if columns * text.count("\n") > MAX_CELLS or self._characters_left <= 0:
            return None
        writer = _HTMLWriter(self._characters_left, self._highlighter)
        try:
            html = writer.write(text)
        except LimitExceededError:
            return None
        finally:
            self._characters_left = writer.characters_left
        clean = nh3.clean(
            html,
            tags=TAGS,
            attributes=ATTRIBUTES,
            allowed_classes={"span": CSS_CLASSES},
            url_schemes={"http", "https", "mailto"},
            link_rel=REL,
            # The table's tabindex lets a keyboard scroll a wide table.
            set_tag_attribute_values={"a": {"target": "_blank"}, "table": {"tabindex": "0"}},
        )
        return mark_safe(clean)  # noqa: S308  # nh3 has cleaned it


class _HTMLWriter:
    """Writes the parser's events as HTML, and raises `LimitExceededError` when no characters are left."""

    def __init__(self, characters_left: int, highlighter: Highlighter | None) -> None:
        self.characters_left = characters_left
        self._highlighter = highlighter
        self._code: list[str] | None = None  # of the open block of code
        self._language = ""
        self._chunks: list[str] = []
        self._ends: list[str] = []  # what to write at the ends of the open elements
        self._outline: list[str] = []
        self._host = ""  # of the open link
        self._link_text: list[str] | None = None

    def write(self, text: str) -> str:
        for event in PARSER.events(text):
            self._write_event(event)
        return "".join(self._chunks)

    def _write_event(self, event: Event) -> None:
        match event:
            case {"Text": str(text)} if self._code is not None:
                self._code.append(text)
            case {"Text": str(text)}:
                self._append_text(text, escape(text, quote=False))
            case {"Code": str(text)}:
                self._append_text(text, f"<code>{escape(text, quote=False)}</code>")
            case {"Html": str(text)} | {"InlineHtml": str(text)}:
                self._append_text(text, escape(text, quote=False).replace("\n", "<br>\n"))
            case "SoftBreak" | "HardBreak":
                self._append("<br>\n")
            case {"TaskListMarker": bool(is_done)}:
                self._append("☑ " if is_done else "☐ ")
            case "Rule":
                self._append("<hr>\n")
            case {"Start": tag}:
                start, end = self._element(tag)
                self._ends.append(end)
                self._append(start)
            case {"End": _}:
                end = self._ends.pop()
                if end == CODE_END:
                    self._append_code()
                self._append(end)
                if end == "</a>":
                    self._append_host()

    def _append(self, html: str) -> None:
        self.characters_left -= len(html)
        if self.characters_left < 0 or len(self._ends) > MAX_LEVELS:
            raise LimitExceededError
        self._chunks.append(html)

    def _append_code(self) -> None:
        code, self._code = "".join(self._code or ()), None
        html = self._highlighter.render(code, self._language) if self._highlighter and self._language else None
        self._append(escape(code, quote=False) if html is None else html)

    def _append_text(self, text: str, html: str) -> None:
        self._append(html)
        if self._link_text is not None:
            self._link_text.append(text)

    def _append_host(self) -> None:
        """Add the host after a link whose text does not begin with it."""
        host, text = self._host, "".join(self._link_text or ())
        self._link_text = None
        if host and not re.match(rf"\s*(https?://)?{re.escape(host)}(?![\w.@:-])", text, re.IGNORECASE):
            self._append(f" ({host})")

    def _element(self, tag: Any) -> tuple[str, str]:
        """Return what to write at the start and at the end of an element."""
        match tag:
            case "TableCell" if self._ends[-1] == HEAD_END:
                return "<th>", "</th>"
            case str(name):
                return ELEMENTS[name]
            case {"Link": link}:
                return self._link(link)
            case {"Image": link}:
                # An image is shown as a link to it, or as its description if it is part of a link.
                start, end = ("", "") if self._link_text is not None else self._link(link)
                return f"!{start}", end
            case {"Heading": {"level": level}}:
                element = self._lower_heading(level)
                return f"<{element}>", f"</{element}>\n"
            case {"List": int(start)}:
                return f'<ol start="{start}">\n', "</ol>\n"
            case {"List": None}:
                return "<ul>\n", "</ul>\n"
            case {"CodeBlock": kind}:
                self._code = []
                self._language = language_name(kind["Fenced"]) if isinstance(kind, dict) else ""
                attribute = f' data-language="{escape(self._language)}"' if self._language else ""
                return f"<pre{attribute}><code>", CODE_END
            case {"Table": _}:
                return "<table>", "</tbody></table>\n"
            case _:
                return "<blockquote>\n", "</blockquote>\n"

    def _link(self, link: Any) -> tuple[str, str]:
        """Return the start and the end of a link. Write any other URL than a safe one as text."""
        url = f"mailto:{link['dest_url']}" if link["link_type"] == "Email" else link["dest_url"]
        if not url.isascii():
            self.characters_left -= len(url) * INTERNATIONAL_HOST_COST
        host = web_host(url)
        if not host and not is_mailto(url):
            return "", "" if link["link_type"] == "Autolink" else f" ({escape(url)})"
        self._host, self._link_text = host, []
        title = f' title="{escape(link["title"])}"' if link["title"] else ""
        return f'<a href="{escape(url)}"{title}>', "</a>"

    def _lower_heading(self, level: str) -> str:
        """Return the element of a heading, so that headings start below the item's heading and skip no level."""
        while self._outline and self._outline[-1] >= level:
            self._outline.pop()
        self._outline.append(level)
        return f"h{min(FIRST_HEADING_LEVEL + len(self._outline) - 1, 6)}"
