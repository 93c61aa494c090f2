"""Conditions at random, written in each way of asking, and what they mean."""

from typing import Any

from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations.models import Conversation
from conversations.schema.query.nodes import MAX_CONDITIONS, And, MetadataCondition, Not, Or, Query

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
]

metadata = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=6)

_key, _value = st.sampled_from(KEYS), st.sampled_from(VALUES)
_values = st.lists(_value, min_size=1, max_size=4).map(tuple)
_scalar = st.sampled_from(["eq", "ne", "prefix", "contains"])
condition = (
    st.builds(MetadataCondition, _key, _scalar, _value.map(lambda value: (value,)))
    | st.builds(MetadataCondition, _key, st.sampled_from(["in", "nin"]), _values)
    | st.builds(MetadataCondition, _key, st.just("exists"))
)


def _count_in_text(query: Query) -> int:
    """Return the number of conditions of the query as `as_text` writes it."""
    match query:
        case And(parts) | Or(parts):
            return sum(map(_count_in_text, parts))
        case Not(part):
            return _count_in_text(part)
        case MetadataCondition(_, operator, values):
            return (operator in ("ne", "nin", "exists")) + len(values)
    raise ValueError(query)


query = st.recursive(
    condition,
    lambda part: (
        st.builds(And, _some := st.lists(part, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, _some)
        | st.builds(Not, part)
    ),
    max_leaves=5,
).filter(lambda query: _count_in_text(query) <= MAX_CONDITIONS)


# For tests that take their fixtures through all examples.
many = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def conversations_of(owner: User, *others: User, count: int) -> list[Conversation]:
    """Of the first owner, oldest first, the same each time; the others' lie between them with the same metadata."""
    rows = []

    @settings(max_examples=count, derandomize=True, deadline=None, database=None)
    @given(metadata)
    def create(metadata: dict[str, str]) -> None:
        rows.append(Conversation.create_with_items(owner=owner, metadata=metadata))
        for other in others:
            Conversation.create_with_items(owner=other, metadata=metadata)

    create()
    return rows


def matches(query: Query, metadata: dict[str, str]) -> bool:
    match query:
        case And(of):
            return all(matches(part, metadata) for part in of)
        case Or(of):
            return any(matches(part, metadata) for part in of)
        case Not(of):
            return not matches(of, metadata)
        case MetadataCondition(key, operator, values):
            value = metadata.get(key)
            return value is not None and _matches(value, operator, values)
    raise ValueError(query)


def _matches(value: str, operator: str, values: tuple[str, ...]) -> bool:
    match operator:
        case "eq" | "in":
            return value in values
        case "ne" | "nin":
            return value not in values
        case "prefix":
            return value.startswith(values[0])
        case "contains":
            return values[0] in value
    return True


def as_text(query: Query) -> str:
    """In the typed language, which writes `ne`, `in` and `nin` by what they mean."""
    match query:
        case And(of):
            return " ".join(f"({as_text(part)})" for part in of)
        case Or(of):
            return " OR ".join(f"({as_text(part)})" for part in of)
        case Not(of):
            return f"-({as_text(of)})"
        case MetadataCondition(key, operator, values):
            name = f"metadata[{_quoted(key)}]"
            equal = " OR ".join(f"{name}:{_quoted(value)}" for value in values)
            return {
                "eq": equal,
                "in": equal,
                "ne": f"{name}:* -({equal})",
                "nin": f"{name}:* -({equal})",
                "prefix": f"{name}^{_quoted(values[0] if values else '')}",
                "contains": f"{name}~{_quoted(values[0] if values else '')}",
                "exists": f"{name}:*",
            }[operator]
    raise ValueError(query)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def as_parameters(condition: MetadataCondition) -> dict[str, Any]:
    """As the API's query parameters; keys with brackets can't be written so."""
    name = f"metadata[{condition.key}][{condition.operator}]"
    if condition.operator == "exists":
        return {name: "true"}
    if condition.operator in ("in", "nin"):
        return {f"{name}[]": list(condition.values)}
    return {name: condition.values[0]}
