"""Conditions on conversations: the tree that every way of asking is turned into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

MAX_CONDITIONS = 16

MetadataOperator = Literal["eq", "ne", "in", "nin", "prefix", "contains", "exists"]
CreatedOperator = Literal["gt", "gte", "lt", "lte"]


@dataclass(frozen=True)
class MetadataCondition:
    """`ne` and `nin` mean that the key is there with another value; a key that is not there is `Not` of `exists`."""

    key: str
    operator: MetadataOperator
    values: tuple[str, ...] = ()

    def allows(self, value: str) -> bool:
        """Whether the key may have this value."""
        match self.operator:
            case "eq" | "in":
                return value in self.values
            case "ne" | "nin":
                return value not in self.values
            case "prefix":
                return value.startswith(self.values)
            case "contains":
                return self.values[0] in value
            case "exists":
                return True


@dataclass(frozen=True)
class CreatedCondition:
    operator: CreatedOperator
    seconds: int  # Unix time


@dataclass(frozen=True)
class TextCondition:
    """That one of the items says this: its words next to each other, in their order (see `schema.searchable_text`)."""

    phrase: str


@dataclass(frozen=True)
class And:
    """Of no conditions: everything."""

    of: tuple[Query, ...]


@dataclass(frozen=True)
class Or:
    of: tuple[Query, ...]


@dataclass(frozen=True)
class Not:
    of: Query


Condition = MetadataCondition | CreatedCondition | TextCondition
Query = Condition | And | Or | Not
EVERYTHING = And(())


def equalities(metadata: Mapping[str, str]) -> Query:
    """That each of these pairs is there."""
    return And(tuple(MetadataCondition(key, "eq", (value,)) for key, value in metadata.items()))


def conditions(query: Query) -> Iterator[Condition]:
    match query:
        case And(of) | Or(of):
            for part in of:
                yield from conditions(part)
        case Not(part):
            yield from conditions(part)
        case _:
            yield query


def is_bounded(query: Query) -> bool:
    """Whether an index can find what matches. A part of a value (`contains`) can't, nor can what must not be there."""
    match query:
        case And(of):
            return any(map(is_bounded, of))
        case Or(of):
            return all(map(is_bounded, of))
        case Not():
            return False
        case MetadataCondition(operator=operator):
            return operator != "contains"
        case CreatedCondition() | TextCondition():
            return True


def is_positive(query: Query) -> bool:
    """Whether each condition says of a key what its value is, or tells a time: what an index leads to, hit by hit."""
    match query:
        case And(of) | Or(of):
            return all(map(is_positive, of))
        case MetadataCondition(operator=operator):
            return operator in ("eq", "in", "prefix", "exists")
        case CreatedCondition():
            return True
    return False


def phrases(query: Query) -> list[str]:
    """What is searched for in texts, but for what must not be there."""
    match query:
        case And(of) | Or(of):
            return [phrase for part in of for phrase in phrases(part)]
        case TextCondition(phrase):
            return [phrase]
    return []


def searches_text(query: Query) -> bool:
    return any(isinstance(condition, TextCondition) for condition in conditions(query))
