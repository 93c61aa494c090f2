"""Marks for the texts that a reader searched for, in plain text and in HTML that this app has written or cleaned."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape, unescape

from django.utils.safestring import SafeString, mark_safe

MAX_MARKS = 1_000  # per page
MAX_TEXT_CHARACTERS = 200  # of what is searched for
MAX_PHRASES = 10
QUOTED = re.compile(r'"([^"]*)"')
TAG = re.compile(r"""(<(?:"[^"]*"|'[^']*'|[^>"'])*>)""")
WORD = re.compile(r"[^\W_]+")


class TextPattern:
    """A search in texts: for the text as it was typed, or for its words with other characters between them.

    Upper and lower case are the same, and so is any white space. Phrases in quotes are searched for one by one, and any
    of them is a match.
    """

    def __init__(self, text: str) -> None:
        phrases = [phrase for phrase in QUOTED.findall(text) if phrase.strip()] or [text]
        alternatives = [each for phrase in phrases[:MAX_PHRASES] for each in _alternatives(phrase.strip())]
        self.regex = re.compile("|".join(dict.fromkeys(alternatives)), re.IGNORECASE)

    @classmethod
    def parse(cls, text: str) -> TextPattern | None:
        """Return the search for the text, or None if there is nothing to search for."""
        text = text[:MAX_TEXT_CHARACTERS]
        return cls(text) if text.strip('" \t\r\n') else None

    def matches(self, text: str) -> bool:
        return self.regex.search(text) is not None


class Marker:
    """Marks what a search finds on one page, up to `MAX_MARKS` times."""

    def __init__(self, pattern: TextPattern) -> None:
        self._pattern = pattern
        self._marks_left = MAX_MARKS

    def mark_text(self, text: str) -> SafeString:
        """Return the text as HTML."""
        return mark_safe("".join(self._pieces(text)))  # noqa: S308  # of escaped texts

    def mark_html(self, html: str) -> SafeString:
        """Mark the texts between the tags. A text that continues in another element has no mark."""
        pieces = TAG.split(html)
        pieces[::2] = ["".join(self._pieces(unescape(text))) for text in pieces[::2]]
        return mark_safe("".join(pieces))  # noqa: S308  # The tags are unchanged.

    def _pieces(self, text: str) -> Iterable[str]:
        end = 0
        for match in self._pattern.regex.finditer(text):
            if not self._marks_left:
                break
            self._marks_left -= 1
            yield escape(text[end : match.start()], quote=False)
            yield f"<mark>{escape(match[0], quote=False)}</mark>"
            end = match.end()
        yield escape(text[end:], quote=False)


def quote_phrases(phrases: Iterable[str]) -> str:
    """Return a search for any of these phrases of the full-text index, which ignores what separates words."""
    texts = dict.fromkeys(" ".join(WORD.findall(phrase)) or phrase.strip(' "') for phrase in phrases)
    return next(iter(texts), "") if len(texts) < 2 else " ".join(f'"{text}"' for text in texts)


def _alternatives(phrase: str) -> Iterable[str]:
    yield r"\s+".join(map(re.escape, phrase.split()))
    words = WORD.findall(phrase)
    if len(words) > 1:
        yield r"(?<![^\W_])" + r"[\W_]+".join(words) + r"(?![^\W_])"
