"""Code as HTML whose elements have a class for each kind of token, for the colors of a stylesheet.

Pygments finds the tokens. Code may be written to keep the server busy, so that limits bound a page's time: the longest
text, the characters of all HTML, and the seconds of all texts together. Beyond them, code stays plain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from itertools import groupby
from time import thread_time

from django.utils.safestring import SafeString, mark_safe
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Error, Generic, Keyword, Literal, Name, Number, String, _TokenType

MAX_CHARACTERS = 10_000  # per text: the time of some regular expressions grows with the square of the length
MAX_HTML_CHARACTERS = 400_000  # per page
SECONDS = 0.25  # per page, of processor time, so that a busy machine highlights the same

# The names after ``` for each lexer. These lexers yield tokens as they find them, so that the time can be checked, and
# none of their regular expressions takes long for a hostile text, as some of the lexers of C, Ruby and INI files do.
LANGUAGE_NAMES: Mapping[str, str] = {
    "bash": "bash console sh shell shell-session zsh",
    "css": "css",
    "diff": "diff patch",
    "go": "go golang",
    "html": "html",
    "java": "java",
    "javascript": "cjs javascript js jsx mjs node",
    "json": "json json5 jsonc jsonl",
    "kotlin": "kotlin kt",
    "php": "php",
    "powershell": "powershell ps1 pwsh",
    "python": "py python python3",
    "rust": "rs rust",
    "sql": "mysql plpgsql postgresql sql sqlite",
    "swift": "swift",
    "toml": "toml",
    "typescript": "ts tsx typescript",
    "xml": "svg xml",
    "yaml": "yaml yml",
}
LEXERS = {name: lexer for lexer, names in LANGUAGE_NAMES.items() for name in names.split()}
LANGUAGE_NAME = re.compile(r"[\w#+.-]{1,20}")

# The class for each kind of token. A token has the class of the most specific kind that is listed.
CLASSES: Mapping[_TokenType, str] = {
    Comment: "hl-comment",
    Error: "",
    Generic.Deleted: "hl-deleted",
    Generic.Heading: "hl-comment",
    Generic.Inserted: "hl-inserted",
    Generic.Subheading: "hl-comment",
    Keyword: "hl-keyword",
    Keyword.Constant: "hl-number",
    Literal: "hl-number",
    Name.Attribute: "hl-name",
    Name.Builtin: "hl-name",
    Name.Class: "hl-name",
    Name.Decorator: "hl-name",
    Name.Function: "hl-name",
    Name.Tag: "hl-keyword",
    Number: "hl-number",
    String: "hl-string",
}
CSS_CLASSES = {name for name in CLASSES.values() if name}


def language_name(info: str) -> str:
    """Return the language that the line of a code fence names, or "" if it names none."""
    match = LANGUAGE_NAME.match(info.strip())
    return match[0] if match else ""


class Highlighter:
    """Highlights the code of one page, whose texts share the limits."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._characters_left = MAX_HTML_CHARACTERS
        self._seconds_left = seconds

    def render(self, code: str, language: str) -> SafeString | None:
        """Return the code as HTML, or None if the language is unknown or the code exceeds a limit."""
        lexer = _lexer(LEXERS.get(language.lower(), ""))
        if lexer is None or len(code) > MAX_CHARACTERS or self._seconds_left <= 0 or self._characters_left <= 0:
            return None
        chunks: list[str] = []
        begin = thread_time()
        left = self._characters_left
        try:
            for css_class, tokens in groupby(lexer.get_tokens_unprocessed(code), lambda token: _class(token[1])):
                text = escape("".join(value for _index, _type, value in self._until(begin, tokens)), quote=False)
                chunk = f'<span class="{css_class}">{text}</span>' if css_class and text.strip() else text
                chunks.append(chunk)
                left -= len(chunk)
                if left < 0:
                    return None
        except TimeoutError:
            return None
        finally:
            self._seconds_left -= thread_time() - begin
        self._characters_left = left
        return mark_safe("".join(chunks))  # noqa: S308  # of escaped texts

    def _until(
        self, begin: float, tokens: Iterator[tuple[int, _TokenType, str]]
    ) -> Iterator[tuple[int, _TokenType, str]]:
        """Yield the tokens, and raise `TimeoutError` when the page's time is over."""
        for token in tokens:
            if thread_time() - begin > self._seconds_left:
                raise TimeoutError
            yield token


@cache
def _lexer(name: str) -> Lexer | None:
    options = {"startinline": True} if name == "php" else {}  # code in answers seldom begins with <?php
    return get_lexer_by_name(name, **options) if name else None


@cache
def _class(token_type: _TokenType) -> str:
    return next((CLASSES[kind] for kind in reversed(token_type.split()) if kind in CLASSES), "")
