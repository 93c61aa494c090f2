"""A page that people read, complete in one file: it loads nothing, runs nothing, and its policy allows neither."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from hashlib import sha256
from html import escape

from conversations.models import Item
from conversations.rendering.markdown import MarkdownPage, has_marks
from conversations.rendering.safe_urls import escape_bidi_controls
from conversations.transfer.formats.base import FileFormat
from conversations.transfer.formats.readable import Part, readable_item
from conversations.transfer.segments import ConversationSegment, format_time

STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1f2328; --link: #0b5cad; --line: #c8ccd0; --quiet: #59636e }
:root { --user: #eef4fb; --code: #f5f6f7 }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171a; --text: #e3e6e8; --link: #82b8f2; --line: #4b5259; --quiet: #a5adb5 }
  :root { --user: #1c2936; --code: #23272b }
}
body { background: var(--page); color: var(--text) }
a { color: var(--link) }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem }
h1 { font-size: 1.25rem; overflow-wrap: anywhere }
h2 { font-size: 1rem; margin: 0 }
h3 { font-size: .875rem; margin: 1rem 0 .25rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .125rem 1rem; margin: 0 }
dl, .facts { color: var(--quiet); font-size: .875rem; overflow-wrap: anywhere }
dt, dd { margin: 0 }
dt { max-width: 15rem }
article + article { border-top: 3px double var(--line); margin-top: 3rem; padding-top: 1rem }
section { border: 1px solid var(--line); border-radius: .5rem; margin: 1rem 0; padding: .75rem 1rem }
section.user { background: var(--user) }
.facts { margin: 0 0 .5rem }
.text { overflow-wrap: anywhere }
.plain { white-space: pre-wrap }
pre { background: var(--code); margin: .5rem 0; padding: .5rem .75rem }
pre { overflow-wrap: anywhere; white-space: pre-wrap }
section > pre { max-height: 30rem; overflow: auto }
img { height: auto; max-width: 100% }
table { border-collapse: collapse; display: block; overflow: auto }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: start }
@media print {
  :root { --page: #fff; --text: #000; --link: #000; --line: #999; --quiet: #444; --user: #fff; --code: #fff }
  body { font-size: 10pt; margin: 0; max-width: none; padding: 0 }
  article + article { border: 0; break-before: page; margin: 0 }
  h2, h3, .facts { break-after: avoid }
  pre { border: 1px solid var(--line) }
  section > pre { max-height: none; overflow: visible }
}
"""
POLICY = (
    f"default-src 'none'; img-src data:; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'"
)
HEAD = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Conversations</title>
<style>{STYLE}</style>
</head>
<body>
"""


class HTMLFile(FileFormat):
    def __init__(self) -> None:
        super().__init__()
        self._is_in_article = False

    def begin(self) -> bytes:
        return HEAD.encode()

    def write(self, segments: Iterable[ConversationSegment]) -> bytes:
        return "".join(html for segment in segments for html in self._segment(segment)).encode()

    def end(self) -> bytes:
        return f"{self._article_end()}</body>\n</html>\n".encode()

    def _segment(self, segment: ConversationSegment) -> Iterator[str]:
        if segment.is_first:
            yield self._article_end()
            self._is_in_article = True
            yield f"<article>\n{_header(segment)}"
        for item in segment.items:
            yield from _section(item)

    def _article_end(self) -> str:
        return "</article>\n" if self._is_in_article else ""


def _header(segment: ConversationSegment) -> str:
    conversation = segment.conversation
    facts = [
        ("Owner", segment.owner),
        ("Created", f"{format_time(conversation.created_at)} UTC"),
        ("Items", f"{conversation.item_count:,}"),
        *conversation.metadata.items(),
    ]
    rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>\n" for name, value in facts)
    return f"<h1>{_text(conversation.pk)}</h1>\n<dl>\n{rows}</dl>\n"


def _section(item: Item) -> Iterator[str]:
    readable = readable_item(item.data)
    role = ' class="user"' if item.data.get("role") == "user" else ""
    facts = " · ".join([f"{format_time(item.created_at)} UTC", *(f"{name}: {value}" for name, value in readable.facts)])
    yield f"<section{role}>\n<h2>{item.position}. {_text(readable.title)}</h2>\n"
    yield f'<p class="facts">{_text(facts)}</p>\n'
    for part in readable.parts:
        if part.label and part.kind != "image":
            yield f"<h3>{_text(part.label)}</h3>\n"
        yield _part(part)
    yield "</section>\n"


def _part(part: Part) -> str:
    if part.kind == "image":
        return f'<img src="{escape(part.text)}" alt="{_text(part.label)}">\n'
    if part.kind == "code":  # The tabindex lets a keyboard scroll it.
        return f'<pre dir="auto" tabindex="0">{_text(part.text)}</pre>\n'
    html = MarkdownPage().render(part.text) if has_marks(part.text) else None
    if html is None:
        return f'<div class="text plain" dir="auto">{_text(part.text)}</div>\n'
    return f'<div class="text" dir="auto">{html}</div>\n'


def _text(text: str) -> str:
    return escape(escape_bidi_controls(text))
