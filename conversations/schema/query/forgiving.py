"""The forgiving mode of the query language: text that people type or paste into a search box, rewritten to a query.

The strict parser decides about each condition. Text that it refuses becomes words in double quotes, and so does a bare
key that no metadata has: `mail erika@example.com` is read as `mail "erika@example.com"`. The result is a query in the
strict language, so that one grammar serves both modes, and the reading can be shown, saved and sent to the API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from conversations.errors import APIError
from conversations.schema.json_limits import UNSTORABLE_CHARACTER
from conversations.schema.metadata import MAX_VALUE_LENGTH
from conversations.schema.query import tokens
from conversations.schema.query.nodes import MetadataCondition, Query
from conversations.schema.query.parser import MAX_LENGTH, Parser, parse_query
from conversations.schema.searchable_text import split_words

_IN_QUOTES = re.compile('["\u201c\u201d\u201e]([^"\u201c\u201d\u201e]*)["\u201c\u201d]')
_DANGLING_MINUS = re.compile(r"-+(?:\s|\Z)")
_CHUNK = re.compile(r"\S+")
_EXPLICIT_KEY = re.compile(r"metadata\[")
# Characters that separate words anyway, and that would have to be escaped in a quoted phrase.
_ESCAPED_CHARACTERS = re.compile(r'["\\]')


class _Kind(Enum):
    CONDITION = auto()
    OPENING = auto()
    CLOSING = auto()
    NEGATION = auto()
    CONNECTIVE = auto()  # AND or OR


@dataclass(frozen=True)
class _Lexeme:
    kind: _Kind
    text: str  # in the strict language
    has_words: bool = True

    @classmethod
    def words(cls, text: str) -> _Lexeme:
        return cls(_Kind.CONDITION, _quote(text), has_words=bool(split_words(text)))


@dataclass(frozen=True)
class Reading:
    """The query that a text was read as. It is None if the text has no letter, digit or emoji to search for."""

    text: str  # in the strict language
    query: Query | None


def read_forgivingly(text: str, *, is_key: Callable[[str], bool] = lambda key: True) -> Reading:
    """Read any text as a query, without an error. `is_key` tells whether some metadata has a key.

    Of a text that is too long, too deep or has too many conditions, all words together become one phrase. Only the
    first 2,000 characters of a text are read.
    """
    storable = UNSTORABLE_CHARACTER.sub(" ", text[:MAX_LENGTH])
    reading = _join(_complete(list(_Scanner(storable, is_key).lexemes())))
    if not reading and text.strip():
        return Reading(_quote(storable), None)
    try:
        return Reading(reading, parse_query(reading))
    except APIError:
        reading = _quote_all(storable)
        return Reading(reading, parse_query(reading))


class _Scanner:
    """Splits a text into the lexemes of the language and, between them, words."""

    def __init__(self, text: str, is_key: Callable[[str], bool]) -> None:
        self.parser = Parser(text)
        self.is_key = is_key
        self.depth = 0

    def lexemes(self) -> Iterable[_Lexeme]:
        parser = self.parser
        parser.take(tokens.SPACE)
        while not parser.is_at_end():
            yield self.next_lexeme()
            parser.take(tokens.SPACE)

    def next_lexeme(self) -> _Lexeme:
        parser = self.parser
        if parser.take(tokens.OPENING):
            self.depth += 1
            return _Lexeme(_Kind.OPENING, "(")
        if parser.take(tokens.CLOSING):
            self.depth -= 1
            return _Lexeme(_Kind.CLOSING, ")")
        if connective := parser.take(tokens.AND) or parser.take(tokens.OR):
            return _Lexeme(_Kind.CONNECTIVE, connective.strip())
        if negation := parser.take(tokens.NOT_WORD):
            return _Lexeme(_Kind.NEGATION, f"{negation.strip()} ")
        if not parser.sees(_DANGLING_MINUS) and parser.take(tokens.NOT):
            return _Lexeme(_Kind.NEGATION, "-")
        return self.condition() or self.words()

    def condition(self) -> _Lexeme | None:
        """Consume a condition that the strict parser accepts, or return None."""
        parser = self.parser
        start, parser.count = parser.at, 0
        try:
            condition = parser.condition()
        except APIError:
            parser.at = start
            return None
        text = parser.text[start : parser.at].strip()
        if isinstance(condition, MetadataCondition) and self.is_unknown(condition, text):
            return _Lexeme.words(text)
        return _Lexeme(_Kind.CONDITION, text)

    def is_unknown(self, condition: MetadataCondition, text: str) -> bool:
        """Whether the condition names a key that no metadata has, without saying that it is a key."""
        is_explicit = condition.operator == "exists" or _EXPLICIT_KEY.match(text)
        return not is_explicit and not self.is_key(condition.key)

    def words(self) -> _Lexeme:
        """Consume a text in straight or curly quotes, or the characters up to the next space."""
        parser = self.parser
        if quoted := _IN_QUOTES.match(parser.text, parser.at):
            parser.at = quoted.end()
            return _Lexeme.words(quoted[1])
        chunk = parser.take(_CHUNK)
        # Leave the parentheses that close a group: `(parcel OR C++)`.
        while self.depth > 0 and chunk.endswith(")") and chunk.count(")") > chunk.count("("):
            chunk = chunk[:-1]
            parser.at -= 1
        return _Lexeme.words(chunk)


def _complete(lexemes: list[_Lexeme]) -> list[_Lexeme]:
    """Drop punctuation and unmatched parentheses; make words of operators that lack a condition."""
    remaining = [each for each in lexemes if each.has_words]
    while (completed := _make_words_of_dangling(_drop_unmatched(remaining))) != remaining:
        remaining = completed
    return remaining


def _drop_unmatched(lexemes: list[_Lexeme]) -> list[_Lexeme]:
    """Return the lexemes without parentheses that have no counterpart or nothing between them."""
    kept: list[_Lexeme | None] = []
    open_at: list[int] = []
    for lexeme in lexemes:
        if lexeme.kind is _Kind.OPENING:
            open_at.append(len(kept))
        elif lexeme.kind is _Kind.CLOSING:
            if not open_at:
                continue
            start = open_at.pop()
            if not any(kept[start + 1 :]):
                kept[start:] = []
                continue
        kept.append(lexeme)
    return [lexeme for at, lexeme in enumerate(kept) if lexeme and at not in open_at]


def _make_words_of_dangling(lexemes: list[_Lexeme]) -> list[_Lexeme]:
    completed: list[_Lexeme] = []
    for at, lexeme in enumerate(lexemes):
        previous = completed[-1].kind if completed else None
        following = lexemes[at + 1].kind if at + 1 < len(lexemes) else None
        is_followed = following in (_Kind.CONDITION, _Kind.OPENING, _Kind.NEGATION)
        is_operator = lexeme.kind in (_Kind.NEGATION, _Kind.CONNECTIVE)
        is_between = lexeme.kind is _Kind.NEGATION or previous in (_Kind.CONDITION, _Kind.CLOSING)
        if is_operator and not (is_followed and is_between):
            if lexeme.text == "-":
                continue
            lexeme = _Lexeme.words(lexeme.text.strip())
        completed.append(lexeme)
    return completed


def _join(lexemes: list[_Lexeme]) -> str:
    parts: list[str] = []
    for lexeme in lexemes:
        is_attached = lexeme.kind is _Kind.CLOSING or (parts and parts[-1][-1] in "(- ")
        parts.append(lexeme.text if is_attached or not parts else f" {lexeme.text}")
    return "".join(parts)


def _quote(text: str) -> str:
    return f'"{" ".join(_ESCAPED_CHARACTERS.sub(" ", text).split())}"'


def _quote_all(text: str) -> str:
    """Return all words of the text as phrases of the greatest length that a phrase may have."""
    phrases = [""]
    for word in _ESCAPED_CHARACTERS.sub(" ", text[: MAX_LENGTH - 100]).split():
        for piece in (word[at : at + MAX_VALUE_LENGTH] for at in range(0, len(word), MAX_VALUE_LENGTH)):
            if len(phrases[-1]) + len(piece) + 1 > MAX_VALUE_LENGTH:
                phrases.append("")
            phrases[-1] = f"{phrases[-1]} {piece}".strip()
    return " ".join(f'"{phrase}"' for phrase in phrases if split_words(phrase))
