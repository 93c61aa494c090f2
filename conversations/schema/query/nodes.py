"""The condition tree that query parameters, the query language and the admin's forms are parsed into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from conversations.schema.query.operators import METADATA_OPERATORS, MetadataOperator

MAX_CONDITIONS = 16

ItemColumn = Literal["type", "tool", "status"]
Comparison = Literal["gt", "gte", "lt", "lte"]


@dataclass(frozen=True)
class MetadataCondition:
    """A condition on the value of one key.

    A conversation without the key meets no condition on it, not even `ne`. `Not` of `exists` finds such conversations.
    """

    key: str
    operator: str  # a name in METADATA_OPERATORS
    values: tuple[str, ...] = ()

    @property
    def definition(self) -> MetadataOperator:
        return METADATA_OPERATORS[self.operator]

    def is_met_by(self, value: str) -> bool:
        return self.definition.predicate(value, self.values)


@dataclass(frozen=True)
class CreatedCondition:
    operator: Comparison
    seconds: int  # Unix time


@dataclass(frozen=True)
class ActiveCondition:
    """The last item was added in these seconds. A conversation that never had an item meets no such condition."""

    operator: Comparison
    seconds: int  # Unix time


@dataclass(frozen=True)
class ItemCountCondition:
    operator: Comparison
    number: int


@dataclass(frozen=True)
class TextCondition:
    """A phrase in the text of one item: its words next to each other and in order (see `schema.searchable_text`)."""

    phrase: str


@dataclass(frozen=True)
class OwnerCondition:
    """The owner has this username."""

    username: str


@dataclass(frozen=True)
class IdCondition:
    """The id is one of these. The admin's search finds them by what else a word may be, such as the id of an item."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class IdPrefixCondition:
    prefix: str


@dataclass(frozen=True)
class ItemCondition:
    """Some item has this type, calls this tool, or has this status."""

    column: ItemColumn
    value: str

    @property
    def is_indexed(self) -> bool:
        """Whether an index leads to the items. Messages have none, because most conversations have some."""
        return (self.column, self.value) != ("type", "message")


@dataclass(frozen=True)
class HasCondition:
    """Some call has no output in the conversation, or the conversation is on legal hold."""

    what: Literal["unanswered_call", "hold"]


@dataclass(frozen=True)
class And:
    parts: tuple[Query, ...]


@dataclass(frozen=True)
class Or:
    parts: tuple[Query, ...]


@dataclass(frozen=True)
class Not:
    part: Query


# Conditions on columns of the conversation's own row.
RowCondition = HasCondition | OwnerCondition | IdCondition | IdPrefixCondition | ActiveCondition | ItemCountCondition
Condition = MetadataCondition | CreatedCondition | TextCondition | ItemCondition | RowCondition
Query = Condition | And | Or | Not
EVERYTHING = And(())


def iter_conditions(query: Query) -> Iterator[Condition]:
    """Yield all conditions of the query, including negated ones."""
    match query:
        case And(parts) | Or(parts):
            for part in parts:
                yield from iter_conditions(part)
        case Not(part):
            yield from iter_conditions(part)
        case _:
            yield query


def is_bounded(query: Query) -> bool:
    """Whether the number of rows read per match has a bound, because an index leads to the matches.

    `Not` and operators with `IndexUse.NONE` have no bound, unless another condition that must also hold has one.
    """
    match query:
        case And(parts):
            return any(map(is_bounded, parts))
        case Or(parts):
            return all(map(is_bounded, parts))
        case Not():
            return False
        case MetadataCondition():
            return query.definition.is_bounded
        case _:
            return True


def is_index_only(query: Query) -> bool:
    """Whether an index range scan alone answers each condition."""
    match query:
        case And(parts) | Or(parts):
            return all(map(is_index_only, parts))
        case MetadataCondition():
            return query.definition.is_index_only
        case CreatedCondition() | OwnerCondition() | IdCondition() | IdPrefixCondition():
            return True
    return False


def iter_positive_conditions(query: Query) -> Iterator[Condition]:
    """Yield the conditions of the query that are not negated."""
    match query:
        case And(parts) | Or(parts):
            for part in parts:
                yield from iter_positive_conditions(part)
        case Not():
            return
        case _:
            yield query


def collect_phrases(query: Query) -> list[str]:
    """Return the phrases of the query, without negated ones."""
    return [each.phrase for each in iter_positive_conditions(query) if isinstance(each, TextCondition)]


def searches_text(query: Query) -> bool:
    return any(isinstance(condition, TextCondition) for condition in iter_conditions(query))
