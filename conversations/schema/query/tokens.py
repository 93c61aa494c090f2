"""The tokens of the query language as regular expressions, and a reader that consumes them from a text."""

import re
import unicodedata

from conversations.schema.query.operators import NO_VALUE_SIGNS, VALUE_SIGNS
from conversations.schema.query.syntax_error import QuerySyntaxError

SPACE = re.compile(r"\s+")
AND = re.compile(r'AND(?=[\s()"]|\Z)\s*')  # followed by an operator, as in `AND:x`, it is a key
OR = re.compile(r'OR(?=[\s()"]|\Z)\s*')
NOT = re.compile("-")
NOT_WORD = re.compile(r'NOT(?=[\s("]|\Z)\s*')
OPENING = re.compile(r"\(\s*")
CLOSING = re.compile(r"\)\s*")
OPENING_BRACKET = re.compile(r"\[")
CLOSING_BRACKET = re.compile(r"\]")
# "@" keeps these conditions apart from metadata keys of the same names.
NAMED = re.compile("@(?:owner|type|tool|status|has):")
NO_VALUE_SIGN = re.compile("|".join(map(re.escape, NO_VALUE_SIGNS)))
VALUE_SIGN = re.compile("|".join(map(re.escape, VALUE_SIGNS)))
COMPARISON = re.compile("[<>]=?")
QUOTE = re.compile('"')
# A leading single or curly quote is a mistake, not part of a value.
BARE_VALUE = re.compile(r"""(?!['\u2018\u201c])[^\s"()]+""")
# A word before a sign, even after spaces, was meant as a key.
AFTER_BARE_WORD = re.compile(rf"(?=[\s)]|\Z)(?!\s*(?:{VALUE_SIGN.pattern}|[=<>\[]))")
AFTER_CONDITION = re.compile(r"[\s)]|\Z")

_QUOTED = re.compile(r'(?:[^"\\]|\\["\\])*')
_ESCAPE = re.compile(r'\\(["\\])')
_SHOWN = re.compile(r'[()"]|[^\s()"]{1,20}')


class Reader:
    """A text and the position up to which its tokens have been consumed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def is_at_end(self) -> bool:
        return self.at == len(self.text)

    def sees(self, token: re.Pattern[str]) -> bool:
        return token.match(self.text, self.at) is not None

    def take(self, token: re.Pattern[str]) -> str:
        """Consume the token and return its text, or return "" if it is not next."""
        match = token.match(self.text, self.at)
        if not match:
            return ""
        self.at = match.end()
        return match[0]

    def require(self, token: re.Pattern[str], what: str) -> str:
        if not self.sees(token):
            raise self.expected(what)
        return self.take(token)

    def word(self) -> str:
        """Consume an unquoted key of letters of any script, digits, `_`, `.` and `-`; return "" if there is none."""
        start = self.at
        while not self.is_at_end() and _is_in_word(self.text[self.at]):
            self.at += 1
        return self.text[start : self.at]

    def quoted(self) -> str:
        r"""Consume a text in double quotes, and return it with `\"` and `\\` unescaped."""
        self.require(QUOTE, "'\"'")
        inside = self.take(_QUOTED)
        if self.text.startswith("\\", self.at):
            raise self.expected(r"""'\"' or '\\'""")
        self.require(QUOTE, "a closing '\"'")
        return _ESCAPE.sub(r"\1", inside)

    def expected(self, what: str, *, at: int | None = None) -> QuerySyntaxError:
        at = self.at if at is None else at
        is_at_end = at == len(self.text)
        shown = _SHOWN.match(self.text, at)
        got = f"'{shown[0]}'" if shown else "the end" if is_at_end else "a space"
        return QuerySyntaxError(expected=what, position=at + 1, got=got, is_incomplete=is_at_end)


def _is_in_word(character: str) -> bool:
    """Whether the character can be part of a word; marks can, because words of Hindi and Thai contain them."""
    return character in "_.-" or unicodedata.category(character)[0] in "LMN"
