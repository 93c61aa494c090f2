"""Parse the filters `metadata[k]=v`, `metadata[k][op]=…`, `created_at[op]=…` and `query=…` into a condition tree.

Whatever can't be parsed is an error: an ignored filter would return other conversations than the client asked for.
"""

import re
from collections.abc import Iterable
from typing import get_args

from conversations import errors
from conversations.schema.json_limits import check_storable
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from conversations.schema.query.nodes import (
    MAX_CONDITIONS,
    And,
    CreatedCondition,
    CreatedOperator,
    MetadataCondition,
    Not,
    Query,
)
from conversations.schema.query.operators import METADATA_OPERATORS, Arity
from conversations.schema.query.parser import parse_query

Parameters = Iterable[tuple[str, list[str]]]

_METADATA = re.compile(r"metadata\[([^\[\]]*)\](?:\[([^\[\]]*)\])?(\[\])?")
_CREATED = re.compile(r"created_at\[([^\[\]]*)\]")
_SECONDS = re.compile(r"-?[0-9]{1,12}")


def metadata_conditions(parameters: Parameters) -> Query:
    conditions = tuple(_metadata_condition(name, values) for name, values in parameters)
    if len(conditions) > MAX_CONDITIONS:
        raise errors.too_many_conditions("metadata", len(conditions), maximum=MAX_CONDITIONS)
    return And(conditions)


def created_conditions(parameters: Parameters) -> Query:
    return And(tuple(_created_condition(name, values) for name, values in parameters))


def query_conditions(parameters: Parameters) -> Query:
    for name, values in parameters:
        if name != "query":
            raise errors.unknown_parameter(name)
        if len(values) > 1:
            raise errors.duplicate_parameter(name)
        return parse_query(values[0])
    return And(())


def _metadata_condition(name: str, values: list[str]) -> Query:
    match = _METADATA.fullmatch(name)
    if not match:
        raise errors.malformed_parameter(name, expected="metadata[key] or metadata[key][operator]")
    key, brackets = match[1], match[3] or ""
    operator_name = "eq" if match[2] is None else match[2]
    if not key:
        raise errors.empty_string(name)
    if len(key) > MAX_KEY_LENGTH:
        raise errors.string_too_long(name, key, maximum=MAX_KEY_LENGTH)
    operator = METADATA_OPERATORS.get(operator_name)
    takes_many = operator is not None and operator.arity is Arity.MANY_VALUES
    if operator is None or (brackets and not takes_many):
        raise errors.invalid_operator(name, operator_name + brackets, supported=list(METADATA_OPERATORS))
    if len(values) > 1 and not takes_many:
        raise errors.duplicate_parameter(name)
    for value in (key, *values):
        check_storable(value, path=name)
    for value in values:
        if len(value) > MAX_VALUE_LENGTH:
            raise errors.string_too_long(name, value, maximum=MAX_VALUE_LENGTH)
    if operator.arity is Arity.NO_VALUE:
        if values[0] not in ("true", "false"):
            raise errors.invalid_value(name, values[0], supported=["true", "false"])
        condition = MetadataCondition(key, operator.name)
        return condition if values[0] == "true" else Not(condition)
    return MetadataCondition(key, operator.name, tuple(values))


def _created_condition(name: str, values: list[str]) -> CreatedCondition:
    match = _CREATED.fullmatch(name)
    if not match:
        raise errors.malformed_parameter(name, expected="created_at[operator]")
    if match[1] not in get_args(CreatedOperator):
        raise errors.invalid_operator(name, match[1], supported=get_args(CreatedOperator))
    if len(values) > 1:
        raise errors.duplicate_parameter(name)
    if not _SECONDS.fullmatch(values[0]):
        raise errors.invalid_type(name, expected="an integer", got=values[0])
    return CreatedCondition(match[1], int(values[0]))  # type: ignore[arg-type]
