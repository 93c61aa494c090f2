"""The pages of the documentation, and the parts of them that tests check."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "conversations" / "docs"
OPERATING = ROOT / "project" / "README.md"
SIGN_IN = ROOT / "project" / "sign-in.md"
TESTING = ROOT / "tests" / "README.md"
GUIDES = sorted((ROOT / ".github").glob("*.md"))  # for contributors and maintainers
PAGES = [README, *sorted(DOCS.glob("*.md")), OPERATING, SIGN_IN, TESTING]


class Block(NamedTuple):
    """A fenced code block."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}, line {self.line}"


def read_blocks(page: Path, *, under: str = "") -> list[Block]:
    """Return the code blocks of a page in their order, or only the ones under a heading of the second level."""
    blocks: list[Block] = []
    heading, is_heading = "", False
    for token in _tokens(page):
        if is_heading:
            heading = token.content
        is_heading = token.type == "heading_open" and token.tag == "h2"
        if token.type in ("fence", "code_block") and under in ("", heading):
            assert token.map
            blocks.append(Block(page, token.map[0] + 1, token.info, token.content))
    return blocks


def read_links(page: Path) -> list[str]:
    """Return the targets of links and images."""
    targets = [token.attrGet("href") or token.attrGet("src") for token in _inline_tokens(page)]
    return [str(target) for target in targets if target]


def read_anchors(page: Path) -> set[str]:
    """Return the anchors of the headings: their words in lower case, joined by hyphens."""
    headings = [heading.content for token, heading in pairwise(_tokens(page)) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def read_code_spans(page: Path) -> list[str]:
    return [token.content for token in _inline_tokens(page) if token.type == "code_inline"]


def read_table(page: Path, *, header: str) -> list[list[str]]:
    """Return the rows of the table whose header begins with this cell, with the source text of each cell."""
    rows = [line for line in page.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    start = next(number for number, row in enumerate(cells) if row[0] == header)
    table = cells[start + 2 :]
    end = next((number for number, row in enumerate(table) if len(row) != len(table[0])), len(table))
    return table[:end]


def _inline_tokens(page: Path) -> Iterator[Token]:
    for token in _tokens(page):
        yield from token.children or ()


def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text())
