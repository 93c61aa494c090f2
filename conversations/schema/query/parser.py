"""Parser of the query language, as in `topic:demo "refund policy" -metadata["order id"]:"6735" (a:1 OR tenant:*)`.

The language is Stripe's with OR and parentheses added: https://docs.stripe.com/search#search-query-language
"""

from collections.abc import Callable
from functools import partial

from conversations import errors
from conversations.schema.json_limits import UNSTORABLE_CHARACTER
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from conversations.schema.query import tokens
from conversations.schema.query.comparisons import COMPARED, COMPARISONS, EXPECTED_TIME, EXPECTED_VALUES, parse_number
from conversations.schema.query.nodes import (
    MAX_CONDITIONS,
    And,
    Condition,
    HasCondition,
    ItemCondition,
    MetadataCondition,
    Not,
    Or,
    OwnerCondition,
    Query,
    TextCondition,
)
from conversations.schema.query.operators import NO_VALUE_SIGNS, VALUE_SIGNS
from conversations.schema.query.syntax_error import QuerySyntaxError
from conversations.schema.searchable_text import split_words

# Conditions that begin with `@`, and the values of those that have few.
NAMED: dict[str, Callable[[str], Condition]] = {
    "@owner:": OwnerCondition,
    "@type:": partial(ItemCondition, "type"),
    "@tool:": partial(ItemCondition, "tool"),
    "@status:": partial(ItemCondition, "status"),
    "@has:": lambda value: HasCondition("hold" if value == "hold" else "unanswered_call"),
}
NAMED_VALUES = {"@status:": ["failed"], "@has:": ["unanswered_call", "hold"]}

MAX_LENGTH = 2000
MAX_DEPTH = 20

*_SIGNS, _LAST_SIGN = map(repr, VALUE_SIGNS)
_EXPECTED_SIGNS = f"{', '.join(_SIGNS)} or {_LAST_SIGN}"

# Bare words that are more likely a mistake than a search term. In double quotes they are search terms.
_NOT_BARE = ("and", "or", "not", "created", "metadata")


def parse_query(text: str) -> Query:
    """Parse a text of at most 2,000 characters, 16 conditions and 20 levels, or raise an `APIError`.

    An empty text matches every conversation. `-` negates a whole condition: `-topic:demo` also matches conversations
    without a topic.
    """
    if len(text) > MAX_LENGTH:
        raise errors.query_beyond_limit(
            "string too long",
            expected=f"a string with maximum length {MAX_LENGTH}, but got a string with length {len(text)} instead",
        )
    if match := UNSTORABLE_CHARACTER.search(text):
        got = "a NUL character" if match[0] == "\0" else "a lone surrogate"
        raise QuerySyntaxError(expected="a character that can be stored", position=match.start() + 1, got=got)
    return Parser(text).query()


class Parser(tokens.Reader):
    """A recursive descent parser with one method per grammar rule, loosest binding first.

    The methods from `query` to `condition` also consume the spaces that follow.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.count = 0

    def query(self) -> Query:
        self.take(tokens.SPACE)
        if self.is_at_end():
            return And(())
        query = self.alternatives(depth=0)
        if not self.is_at_end():
            raise self.expected("the end")
        return query

    def alternatives(self, *, depth: int) -> Query:
        parts = [self.conjunction(depth=depth)]
        while self.take(tokens.OR):
            parts.append(self.conjunction(depth=depth))
        return _combine(Or, parts)

    def conjunction(self, *, depth: int) -> Query:
        parts = [self.term(depth=depth)]
        while self.take(tokens.AND) or not (self.is_at_end() or self.sees(tokens.CLOSING) or self.sees(tokens.OR)):
            parts.append(self.term(depth=depth))
        return _combine(And, parts)

    def term(self, *, depth: int) -> Query:
        if depth == MAX_DEPTH and any(map(self.sees, (tokens.OPENING, tokens.NOT, tokens.NOT_WORD))):
            raise errors.query_beyond_limit(
                f"nested too deeply at position {self.at + 1}", expected=f"at most {MAX_DEPTH} levels"
            )
        if self.take(tokens.OPENING):
            query = self.alternatives(depth=depth + 1)
            self.require(tokens.CLOSING, "')'")
            return query
        if self.take(tokens.NOT_WORD):
            return Not(self.term(depth=depth + 1))
        if self.take(tokens.NOT):
            if self.sees(tokens.SPACE):
                raise self.expected("a condition or '(' directly after '-'")
            return Not(self.term(depth=depth + 1))
        return self.condition()

    def condition(self) -> Condition:
        start = self.at
        is_quoted, named = self.sees(tokens.QUOTE), self.take(tokens.NAMED)
        if named:
            key = self.named_value(named)
        elif is_quoted:
            key = self.quoted()
            if self.sees(tokens.VALUE_SIGN):
                raise self.expected('a bare word or metadata["key"] as the key', at=start)
        else:
            key = "" if any(map(self.sees, (tokens.AND, tokens.OR, tokens.NOT_WORD))) else self.word()
            if not key:
                raise self.expected("a condition")
        self.count += 1
        if self.count > MAX_CONDITIONS:
            raise errors.query_beyond_limit(
                f"too many conditions at position {start + 1}", expected=f"at most {MAX_CONDITIONS}"
            )
        condition: Condition
        if named:
            condition = NAMED[named](key)
        elif is_quoted or (key.lower() not in _NOT_BARE and self.sees(tokens.AFTER_BARE_WORD)):
            condition = self.phrase(key, start)
        else:
            is_comparison = key == "created" or (key in COMPARED and self.sees(tokens.COMPARISON))
            condition = self.comparison(key) if is_comparison else self.metadata(key, start)
        if not self.sees(tokens.AFTER_CONDITION):
            raise self.expected("a space, ')' or the end after the condition")
        self.take(tokens.SPACE)
        return condition

    def phrase(self, phrase: str, start: int) -> TextCondition:
        _check_length("phrase", phrase, start, maximum=MAX_VALUE_LENGTH)
        if not split_words(phrase):
            raise self.expected("a phrase with a letter, a digit or an emoji", at=start)
        return TextCondition(phrase)

    def metadata(self, key: str, start: int) -> MetadataCondition:
        if key == "metadata" and self.take(tokens.OPENING_BRACKET):
            start = self.at
            key = self.quoted()
            self.require(tokens.CLOSING_BRACKET, "']' after the key")
            if not key:
                raise QuerySyntaxError(expected="a key", position=start + 1, got="an empty string")
        _check_length("key", key, start, maximum=MAX_KEY_LENGTH)
        if sign := self.take(tokens.NO_VALUE_SIGN):
            return MetadataCondition(key, NO_VALUE_SIGNS[sign].name)
        sign = self.require(tokens.VALUE_SIGN, f"{_EXPECTED_SIGNS} after the key")
        return MetadataCondition(key, VALUE_SIGNS[sign].name, (self.value(sign),))

    def named_value(self, name: str) -> str:
        start = self.at
        value = self.value(name)
        if value not in NAMED_VALUES.get(name, [value]):
            raise self.expected(f"{' or '.join(map(repr, NAMED_VALUES[name]))} directly after '{name}'", at=start)
        return value

    def value(self, sign: str) -> str:
        start = self.at
        if self.sees(tokens.QUOTE):
            value = self.quoted()
        else:
            value = self.require(tokens.BARE_VALUE, f"a word or a text in double quotes directly after '{sign}'")
        _check_length("value", value, start, maximum=MAX_VALUE_LENGTH)
        return value

    def comparison(self, name: str) -> Condition:
        sign = self.require(
            tokens.COMPARISON,
            f"'>', '>=', '<' or '<=' after '{name}' (a metadata key of that name is written metadata[\"{name}\"])",
        )
        start = self.at
        number = parse_number(name, self.take(tokens.BARE_VALUE), COMPARISONS[sign])
        if number is None:
            raise self.expected(f"{EXPECTED_VALUES.get(name, EXPECTED_TIME)} directly after '{sign}'", at=start)
        return COMPARED[name](COMPARISONS[sign], number)


def _combine(kind: type[And] | type[Or], parts: list[Query]) -> Query:
    """Combine the parts in one node. Return a single part itself, and merge parts that are nodes of the same kind."""
    if len(parts) == 1:
        return parts[0]
    return kind(tuple(inner for part in parts for inner in (part.parts if isinstance(part, kind) else (part,))))


def _check_length(name: str, value: str, start: int, *, maximum: int) -> None:
    if len(value) > maximum:
        raise errors.query_beyond_limit(
            f"{name} too long at position {start + 1}",
            expected=f"a string with maximum length {maximum}, but got a string with length {len(value)} instead",
        )
