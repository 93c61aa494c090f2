"""Limits, formatting and marks of the blocks on one page of a transcript.

Items may be written to make a page slow or large, so all blocks of a page share limits. What exceeds one is shown as
plain text, as its beginning, or not at all, with a link to download the item.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from conversations.admin.transcript.blocks import MAX_BLOCKS, Block, flatten
from conversations.admin.transcript.item import TranscriptItem
from conversations.rendering.highlight import Highlighter
from conversations.rendering.json_tree import JSONTrees
from conversations.rendering.markdown import MarkdownPage, has_marks
from conversations.rendering.marks import Marker, TextPattern

MAX_PAGE_CHARACTERS = 1_000_000
MIN_BLOCK_CHARACTERS = 2_000  # of each block, even if the page is full
MIN_ITEM_BLOCKS = 10  # of each item, even if the page is full


def render_page(items: Iterable[TranscriptItem], pattern: TextPattern | None = None) -> None:
    """Limit and format the blocks of the items, and mark what the pattern finds in them."""
    items = list(items)
    _limit_blocks(items)
    blocks = list(flatten(block for item in items for block in item.blocks))
    _limit_size(blocks)
    if pattern:
        _find_matches([block for item in items for block in item.blocks], pattern)
    format_blocks(blocks)
    if pattern:
        _mark(items, blocks, Marker(pattern))


def format_blocks(blocks: Iterable[Block]) -> None:
    """Format Markdown, JSON and code. A text that is truncated or exceeds the page's limits stays plain."""
    formatter = _Formatter()
    for block in blocks:
        if not block.is_truncated:
            block.html = formatter.format(block)


class _Formatter:
    """Formats the blocks of one page, which share the limits of what formats them."""

    def __init__(self) -> None:
        self._highlighter = Highlighter()
        self._markdown = MarkdownPage(self._highlighter)
        self._trees = JSONTrees()

    def format(self, block: Block) -> SafeString | None:
        if block.kind == "json":
            return self._trees.render(block.value, is_open=block.has_match)
        if block.kind == "code" and block.language:
            return self._highlighter.render(block.whole_text, block.language)
        if block.kind != "markdown" or not has_marks(block.whole_text):
            return None
        html = self._markdown.render(block.whole_text)
        if html is None:
            block.note = _("Shown as plain text because formatting it would take too long.")
        return html


def _limit_blocks(items: Iterable[TranscriptItem]) -> None:
    """Drop the last blocks of items that would make the page too large."""
    left = MAX_BLOCKS
    for item in items:
        item.limit_blocks(max(left, MIN_ITEM_BLOCKS))
        left -= item.block_count


def _limit_size(blocks: Iterable[Block]) -> None:
    """Truncate the blocks that would make the page too large."""
    characters = MAX_PAGE_CHARACTERS
    for block in blocks:
        block.limit = min(block.limit, max(characters, MIN_BLOCK_CHARACTERS))
        characters -= block.size


def _find_matches(blocks: Sequence[Block], pattern: TextPattern) -> None:
    for block in blocks:
        _find_matches(block.blocks, pattern)
        block.has_match = pattern.matches(block.text) or any(inner.has_match for inner in block.blocks)


def _mark(items: Iterable[TranscriptItem], blocks: Iterable[Block], marker: Marker) -> None:
    for item in items:
        item.marker = marker
    for block in blocks:
        block.marker = marker
        if block.html is not None and block.has_match:
            block.html = marker.mark_html(block.html)
