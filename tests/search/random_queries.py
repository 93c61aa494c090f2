"""Random conditions as trees, as text and as parameters, and an oracle that evaluates them in Python."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations.models import Conversation
from conversations.schema.query.nodes import MAX_CONDITIONS, And, MetadataCondition, Not, Or, Query
from conversations.schema.query.operators import METADATA_OPERATORS, Arity, MetadataOperator

KEYS = ["topic", "1", "a__b", "__gt", "'; --", 'quo"te', "back\\slash", "a[b]", "ключ", "🦓", " "]
VALUES = [
    "",
    "demo",
    "Demo",
    "demo 1",
    "dem",
    "de",
    "😀",
    "😀😀",
    "%",
    "_emo",
    "a\\b",
    "'",
    '"',
    "ё",
    "\u0435\u0308",
    " demo",
    "emo",
]

metadata = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=6)

_value = st.sampled_from(VALUES)
_values = {
    Arity.NO_VALUE: st.just(()),
    Arity.ONE_VALUE: _value.map(lambda value: (value,)),
    Arity.MANY_VALUES: st.lists(_value, min_size=1, max_size=4).map(tuple),
}


def _conditions(operators: Iterable[MetadataOperator]) -> st.SearchStrategy[MetadataCondition]:
    return st.one_of(
        st.builds(MetadataCondition, st.sampled_from(KEYS), st.just(operator.name), _values[operator.arity])
        for operator in operators
    )


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda part: (
            st.builds(And, _parts := st.lists(part, min_size=2, max_size=3).map(tuple))
            | st.builds(Or, _parts)
            | st.builds(Not, part)
        ),
        max_leaves=5,
    )


# Operators without a sign that the query language can express by others: with the key's value equal to one of them, or
# with the key and no such value.
EQUAL_TO_ANY, EQUAL_TO_NONE = ("in",), ("ne", "nin")
_expressible = [
    operator
    for operator in METADATA_OPERATORS.values()
    if operator.sign or operator.name in (*EQUAL_TO_ANY, *EQUAL_TO_NONE)
]
condition = _conditions(METADATA_OPERATORS.values())
query = trees(condition)


def _count_in_text(query: Query) -> int:
    """Return the number of conditions of the query as `as_text` writes it."""
    match query:
        case And(parts) | Or(parts):
            return sum(map(_count_in_text, parts))
        case Not(part):
            return _count_in_text(part)
        case MetadataCondition(_, operator, values):
            return (operator in (*EQUAL_TO_NONE, "exists")) + len(values)
    raise ValueError(query)


expressible_query = trees(_conditions(_expressible)).filter(lambda query: _count_in_text(query) <= MAX_CONDITIONS)


# Settings of tests that share their fixtures among all examples, and that take several queries for each.
many = settings(
    max_examples=settings.default.max_examples // 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def conversations_of(owner: User, *others: User, count: int) -> list[Conversation]:
    """Create conversations of the first owner, the same each time, oldest first.

    Between them the other owners get conversations with the same metadata.
    """
    rows = []

    @settings(max_examples=count, derandomize=True, database=None)
    @given(metadata)
    def create(metadata: dict[str, str]) -> None:
        rows.append(Conversation.objects.create_with_items(owner=owner, metadata=metadata))
        for other in others:
            Conversation.objects.create_with_items(owner=other, metadata=metadata)

    create()
    return rows


def matches(query: Query, metadata: dict[str, str]) -> bool:
    match query:
        case And(parts):
            return all(matches(part, metadata) for part in parts)
        case Or(parts):
            return any(matches(part, metadata) for part in parts)
        case Not(part):
            return not matches(part, metadata)
        case MetadataCondition(key):
            return key in metadata and query.is_met_by(metadata[key])
    raise ValueError(query)


def as_text(query: Query) -> str:
    """Return an expressible query in the query language."""
    match query:
        case And(parts):
            return " ".join(f"({as_text(part)})" for part in parts)
        case Or(parts):
            return " OR ".join(f"({as_text(part)})" for part in parts)
        case Not(part):
            return f"-({as_text(part)})"
        case MetadataCondition(key, operator, values):
            name = f"metadata[{_quoted(key)}]"
            if sign := query.definition.sign:
                return f"{name}{sign}{''.join(map(_quoted, values))}"
            equal_to_any = " OR ".join(f"{name}:{_quoted(value)}" for value in values)
            return equal_to_any if operator in EQUAL_TO_ANY else f"{name}:* -({equal_to_any})"
    raise ValueError(query)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def as_parameters(condition: MetadataCondition) -> dict[str, Any]:
    """Return the condition as query parameters, which can't express a key with brackets."""
    name = f"metadata[{condition.key}][{condition.operator}]"
    match condition.definition.arity:
        case Arity.NO_VALUE:
            return {name: "true"}
        case Arity.MANY_VALUES:
            return {f"{name}[]": list(condition.values)}
    return {name: condition.values[0]}
