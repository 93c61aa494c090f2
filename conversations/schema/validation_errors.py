"""Translates errors of pydantic into OpenAI's error for the member that OpenAI's API would report first."""

import re
from collections.abc import Iterable, Sequence
from secrets import token_hex
from typing import Any

from pydantic_core import CoreSchema, ErrorDetails

from conversations import errors
from conversations.schema.did_you_mean import did_you_mean

Location = Sequence[int | str]

# Prefix of the steps in an error's location that name an alternative of a union instead of a member of the input. It is
# random, so that no client can send a member whose name begins with it.
TAG = f"{token_hex(8)}:"

# OpenAI checks for missing members first, then for unknown members, then the values.
_RANKS = {"missing": 0, "extra_forbidden": 1, "unknown_parameter": 1}
_LAST_RANK = 2

_EXPECTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "bool_type": "a boolean",
    "dict_type": "an object",
    "union_tag_not_found": "an object",
}
_PLURALS = {"int": "integers", "str": "strings", "tagged-union": "objects", "typed-dict": "objects"}


def openai_error(
    details: Iterable[ErrorDetails], *, path: str, values: list[Any], schema: CoreSchema
) -> errors.APIError:
    """Return the error to raise. `values` is the list at `path` of the request that failed to match `schema`."""
    error = min(details, key=lambda error: _RANKS.get(error["type"], _LAST_RANK))
    location, full_path = error["loc"], _join_path(path, error["loc"])
    if error["type"] == "extra_forbidden":
        *parent, name = location
        unused = _schema_at(parent[1:], schema)["fields"].keys() - _at(values, parent).keys()
        return errors.unknown_parameter(full_path, suggestions=did_you_mean(str(name), unused))
    if error["type"] == "list_type":
        expected = _array_of(_schema_at([*location[1:], 0], schema))
        return errors.invalid_type(full_path, expected=expected, got=error["input"])
    return _translate(error["type"], full_path, error["input"], error.get("ctx", {}))


def _translate(error_type: str, path: str, value: Any, context: dict[str, Any]) -> errors.APIError:
    match error_type:
        case "missing":
            return errors.missing_parameter(path)
        case "unknown_parameter":
            return errors.unknown_parameter(path)
        case "invalid_item":
            return errors.invalid_item()
        case "union_tag_invalid":
            tag = context["tag"].removeprefix(TAG)
            return errors.invalid_value(path, tag, supported=_quoted_words(context["expected_tags"].replace(TAG, "")))
        case "literal_error":
            supported = _quoted_words(context["expected"])
            if isinstance(value, str):
                return errors.invalid_value(path, value, supported=supported)
            return errors.invalid_type(path, expected=f"one of {errors.join_quoted(supported, 'or')}", got=value)
        case "string_too_long":
            return errors.string_too_long(path, value, maximum=context["max_length"])
        case "string_too_short":
            return errors.empty_string(path)
        case "string_pattern_mismatch":
            return errors.pattern_mismatch(path, pattern=context["pattern"])
        case "too_long" if isinstance(value, dict):
            return errors.too_many_properties(path, len(value), maximum=context["max_length"])
        case "too_long":
            return errors.array_too_long(path, value, maximum=context["max_length"])
        case "too_short":
            return errors.empty_array(path)
        case "greater_than_equal":
            return errors.integer_below_minimum(path, value, minimum=context["ge"])
        case "less_than_equal":
            return errors.integer_above_maximum(path, value, maximum=context["le"])
        case "invalid_type":
            return errors.invalid_type(path, expected=context["expected"], got=value)
    return errors.invalid_type(path, expected=_EXPECTED[error_type], got=value)


def _join_path(path: str, location: Location) -> str:
    """Return a path such as `items[0].content[1].text` for `items[0]` and `("content", 1, "text")`."""
    for step in _input_steps(location):
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path


def _at(value: Any, location: Location) -> Any:
    for step in _input_steps(location):
        value = value[step]
    return value


def _input_steps(location: Location) -> Iterable[int | str]:
    """Return the steps without the alternatives of unions."""
    return (step for step in location if isinstance(step, int) or not step.startswith(TAG))


def _schema_at(location: Location, schema: Any) -> Any:
    definitions = {definition["ref"]: definition for definition in schema.get("definitions", ())}

    def resolved(schema: Any) -> Any:
        while "schema" in schema or "schema_ref" in schema:
            schema = schema["schema"] if "schema" in schema else definitions[schema["schema_ref"]]
        return schema

    for step in location:
        schema = resolved(schema)
        if isinstance(step, int):
            schema = schema["items_schema"]
        elif step.startswith(TAG):
            schema = schema["choices"][step]
        else:
            schema = schema["fields"][step]
    return resolved(schema)


def _array_of(member_schema: Any) -> str:
    schema_type = member_schema["type"]
    return f"an array of {_PLURALS[schema_type]}" if schema_type in _PLURALS else "an array"


def _quoted_words(text: str) -> list[str]:
    """Return the words that are quoted in a text such as `'a', 'b' or 'c'`, without the empty tag of open unions."""
    return [word for word in re.findall(r"'([^']*)'", text) if word]
