"""Parser of the query language, as in `topic:demo "refund policy" -metadata["order id"]:"6735" (a:1 OR tenant:*)`.

The language is Stripe's with OR and parentheses added: https://docs.stripe.com/search#search-query-language
"""

import re
from datetime import UTC, datetime, timedelta

from conversations import errors
from conversations.schema.json_limits import UNSTORABLE_CHARACTER
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from conversations.schema.query import tokens
from conversations.schema.query.nodes import (
    MAX_CONDITIONS,
    And,
    Condition,
    CreatedCondition,
    CreatedOperator,
    MetadataCondition,
    Not,
    Or,
    Query,
    TextCondition,
)
from conversations.schema.query.operators import NO_VALUE_SIGNS, VALUE_SIGNS
from conversations.schema.searchable_text import split_words

MAX_LENGTH = 2000
MAX_DEPTH = 20

*_SIGNS, _LAST_SIGN = map(repr, VALUE_SIGNS)
_EXPECTED_SIGNS = f"{', '.join(_SIGNS)} or {_LAST_SIGN}"
_COMPARISONS: dict[str, CreatedOperator] = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}

# Bare words that are more likely a mistake than a search term. In double quotes they are search terms.
_NOT_BARE = ("and", "or", "not", "created", "metadata")

_SECONDS = re.compile("-?[0-9]{1,12}")
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(_DATE.pattern + r"T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400


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
        raise errors.invalid_query(expected="a character that can be stored", position=match.start() + 1, got=got)
    return _Parser(text).query()


class _Parser(tokens.Reader):
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
        if depth == MAX_DEPTH and (self.sees(tokens.OPENING) or self.sees(tokens.NOT)):
            raise errors.query_beyond_limit(
                f"nested too deeply at position {self.at + 1}", expected=f"at most {MAX_DEPTH} levels"
            )
        if self.take(tokens.OPENING):
            query = self.alternatives(depth=depth + 1)
            self.require(tokens.CLOSING, "')'")
            return query
        if self.take(tokens.NOT):
            if self.sees(tokens.SPACE):
                raise self.expected("a condition or '(' directly after '-'")
            return Not(self.term(depth=depth + 1))
        return self.condition()

    def condition(self) -> Condition:
        start = self.at
        is_quoted = self.sees(tokens.QUOTE)
        if is_quoted:
            key = self.quoted()
            if self.sees(tokens.VALUE_SIGN):
                raise self.expected('a bare word or metadata["key"] as the key', at=start)
        else:
            key = "" if self.sees(tokens.AND) or self.sees(tokens.OR) else self.word()
            if not key:
                raise self.expected("a condition")
        self.count += 1
        if self.count > MAX_CONDITIONS:
            raise errors.query_beyond_limit(
                f"too many conditions at position {start + 1}", expected=f"at most {MAX_CONDITIONS}"
            )
        condition: Condition
        if is_quoted or (key.lower() not in _NOT_BARE and self.sees(tokens.AFTER_BARE_WORD)):
            condition = self.phrase(key, start)
        else:
            condition = self.created() if key == "created" else self.metadata(key, start)
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
                raise errors.invalid_query(expected="a key", position=start + 1, got="an empty string")
        _check_length("key", key, start, maximum=MAX_KEY_LENGTH)
        if sign := self.take(tokens.NO_VALUE_SIGN):
            return MetadataCondition(key, NO_VALUE_SIGNS[sign].name)
        sign = self.require(tokens.VALUE_SIGN, f"{_EXPECTED_SIGNS} after the key")
        start = self.at
        if self.sees(tokens.QUOTE):
            value = self.quoted()
        else:
            value = self.require(tokens.BARE_VALUE, f"a word or a text in double quotes directly after '{sign}'")
        _check_length("value", value, start, maximum=MAX_VALUE_LENGTH)
        return MetadataCondition(key, VALUE_SIGNS[sign].name, (value,))

    def created(self) -> CreatedCondition:
        sign = self.require(
            tokens.COMPARISON,
            "'>', '>=', '<' or '<=' after 'created' (a metadata key of that name is written metadata[\"created\"])",
        )
        start = self.at
        seconds = _seconds(self.take(tokens.BARE_VALUE), _COMPARISONS[sign])
        if seconds is None:
            raise self.expected(f"a date, an ISO date-time or Unix seconds directly after '{sign}'", at=start)
        return CreatedCondition(_COMPARISONS[sign], seconds)


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


def _seconds(text: str, operator: CreatedOperator) -> int | None:
    """Convert a date, date-time or number to Unix seconds, or return None if the text is none of these.

    Fractions are rounded so that the comparison holds for the same whole seconds. A date means its whole day in UTC:
    `>` is after the day, and `<=` until its end.
    """
    if _SECONDS.fullmatch(text):
        return int(text)
    is_date = _DATE.fullmatch(text) is not None
    if not is_date and not _TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    since_epoch = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    if operator in ("gte", "lt"):
        return -(-since_epoch // timedelta(seconds=1))
    return since_epoch // timedelta(seconds=1) + (_DAY - 1 if is_date else 0)
