"""API errors, worded as OpenAI words them.

https://platform.openai.com/docs/guides/error-codes

Each function returns an error for the caller to raise. A `path` has OpenAI's notation: `items[0].content[1].text`.
Messages that OpenAI's API also sends were captured from it and must not change.
"""

from collections.abc import Iterable, Sequence
from typing import Any


class APIError(Exception):
    """An invalid request. The API answers with `status` and `{"error": {message, type, param, code}}`."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.param = param
        self.code = code

    def envelope(self) -> dict[str, dict[str, str | None]]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


def malformed_parameter(name: str, *, expected: str) -> APIError:
    return APIError(f"Invalid '{name}': expected {expected}.", param=name, code="unknown_parameter")


def invalid_operator(name: str, operator: str, *, supported: Sequence[str]) -> APIError:
    known = join_quoted(supported, "and")
    message = f"Invalid '{name}': unknown operator '{operator}'. Supported operators are: {known}."
    return APIError(message, param=name, code="invalid_operator")


def invalid_cursor(name: str, value: str, *, expected: str = "the ID of a conversation") -> APIError:
    return APIError(f"Invalid '{name}': '{value}'. Expected {expected}.", param=name, code="invalid_cursor")


def mutually_exclusive_parameters(names: Sequence[str]) -> APIError:
    return APIError(
        f"Mutually exclusive parameters: ''. Ensure you are only providing one of: {join_quoted(names, 'or')}.",
        code="mutually_exclusive_parameters",
    )


def too_many_conditions(path: str, count: int, *, maximum: int) -> APIError:
    message = f"Invalid '{path}': too many conditions. Expected at most {maximum}, but got {count} instead."
    return APIError(message, param=path, code="too_many_conditions")


def unbounded_condition(path: str, *, operator: str, maximum: int) -> APIError:
    return APIError(
        f"Invalid '{path}': '{operator}' alone would read more than {maximum} conversations. "
        "Add a condition of another kind or a window of 'created_at'.",
        param=path,
        code="unbounded_condition",
    )


def query_beyond_limit(problem: str, *, expected: str) -> APIError:
    return APIError(f"Invalid 'query': {problem}. Expected {expected}.", param="query", code="invalid_query")


def full_text_off() -> APIError:
    message = "Invalid 'query': full-text search is off here, so that the words of items can't be searched."
    return APIError(message, param="query", code="full_text_off")


def too_many_values(*, maximum: int) -> APIError:
    return APIError(
        f"Invalid body: too many values. Expected at most {maximum}, counted as commas and opening brackets.",
        code="too_many_values",
    )


def missing_parameter(path: str) -> APIError:
    return APIError(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")


def unknown_parameter(path: str, *, suggestions: Sequence[str] = ()) -> APIError:
    hint = f" Did you mean {join_quoted(suggestions, 'or')}?" if suggestions else ""
    return APIError(f"Unknown parameter: '{path}'.{hint}", param=path, code="unknown_parameter")


def duplicate_parameter(name: str) -> APIError:
    return APIError(
        f"Duplicate parameter: '{name}'. You provided multiple values for this parameter, whereas only one is allowed. "
        f"If you are trying to provide a list of values, use the array syntax instead e.g. '{name}[]=<value>'.",
        param=name,
        code="duplicate_parameter",
    )


def invalid_type(path: str, *, expected: str, got: Any) -> APIError:
    return APIError(
        f"Invalid type for '{path}': expected {expected}, but got {json_type_name(got)} instead.",
        param=path,
        code="invalid_type",
    )


def invalid_value(path: str, value: object, *, supported: Sequence[str]) -> APIError:
    return APIError(
        f"Invalid value: '{value}'. Supported values are: {join_quoted(supported, 'and')}.",
        param=path,
        code="invalid_value",
    )


def unstorable_value(path: str, problem: str) -> APIError:
    """Return the error for a value that JSON allows and a database cannot store."""
    return APIError(f"Invalid '{path}': {problem}.", param=path or None, code="invalid_value")


def integer_below_minimum(path: str, value: object, *, minimum: int) -> APIError:
    return APIError(
        f"Invalid '{path}': integer below minimum value. Expected a value >= {minimum}, but got {value} instead.",
        param=path,
        code="integer_below_min_value",
    )


def integer_above_maximum(path: str, value: object, *, maximum: int) -> APIError:
    return APIError(
        f"Invalid '{path}': integer above maximum value. Expected a value <= {maximum}, but got {value} instead.",
        param=path,
        code="integer_above_max_value",
    )


def string_too_long(path: str, value: str, *, maximum: int) -> APIError:
    return APIError(
        f"Invalid '{path}': string too long. Expected a string with maximum length {maximum}, "
        f"but got a string with length {len(value)} instead.",
        param=path,
        code="string_above_max_length",
    )


def empty_string(path: str) -> APIError:
    return APIError(
        f"Invalid '{path}': empty string. Expected a string with minimum length 1, but got an empty string instead.",
        param=path,
        code="empty_string",
    )


def pattern_mismatch(path: str, *, pattern: str) -> APIError:
    return APIError(
        f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '{pattern}'.",
        param=path,
        code="invalid_value",
    )


def array_too_long(path: str, value: Sequence[object], *, maximum: int) -> APIError:
    return APIError(
        f"Invalid '{path}': array too long. Expected an array with maximum length {maximum}, "
        f"but got an array with length {len(value)} instead.",
        param=path,
        code="array_above_max_length",
    )


def empty_array(path: str) -> APIError:
    return APIError(
        f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        param=path,
        code="empty_array",
    )


def too_many_properties(path: str, count: int, *, maximum: int) -> APIError:
    return APIError(
        f"Invalid '{path}': too many properties. Expected an object with at most {maximum} properties, "
        f"but got an object with {count} properties instead.",
        param=path,
        code="object_above_max_properties",
    )


def property_name_too_long(path: str, name: str, *, maximum: int) -> APIError:
    return APIError(
        f"Invalid property name in '{path}': '{elide(name)}' is too long. "
        f"Expected a string with maximum length {maximum}, but got a string with length {len(name)} instead.",
        param=f"{path}.{name}",
        code="property_name_above_max_length",
    )


def wrong_id_prefix(path: str, value: str, *, prefix: str) -> APIError:
    return APIError(
        f"Invalid '{path}': '{value}'. Expected an ID that begins with '{prefix.removesuffix('_')}'.",
        param=path,
        code="invalid_value",
    )


def foreign_id_prefix(path: str, value: str, *, prefix: str) -> APIError:
    return APIError(
        f"Invalid '{path}': '{value}'. Expected an ID that does not begin with '{prefix.removesuffix('_')}', "
        "which begins the IDs of another type.",
        param=path,
        code="invalid_value",
    )


def wrong_id_characters(path: str, value: str) -> APIError:
    return APIError(
        f"Invalid '{path}': '{value}'. Expected an ID that contains letters, numbers, underscores, or dashes, "
        "but this value contained additional characters.",
        param=path,
        code="invalid_value",
    )


def conversation_held(conversation_id: str) -> APIError:
    message = (
        f"Conversation with id '{conversation_id}' is on legal hold, which only allows reading and appending items."
    )
    return APIError(message, status=409, code="conversation_held")


def conversation_not_found(conversation_id: str) -> APIError:
    return APIError(f"Conversation with id '{conversation_id}' not found.", status=404)


def item_not_found(item_id: str) -> APIError:
    return APIError(f"Item with id '{item_id}' not found in conversation.", status=404)


def referenced_item_not_found(item_id: str) -> APIError:
    return APIError(f"Item with id '{item_id}' not found.", status=404, param="items")


def after_not_found(item_id: str) -> APIError:
    return APIError(f"No item found with id '{item_id}'", status=404, param="after")


def item_already_in_conversation() -> APIError:
    return APIError("Item already in conversation", param="items", code="item_already_in_conversation")


def invalid_item() -> APIError:
    return APIError("Invalid item", param="item", code="invalid_item")


def json_type_name(value: object) -> str:
    """Return OpenAI's name for the type of a JSON value."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def elide(name: str) -> str:
    """Shorten a long name to its two ends, as OpenAI does: `previous_response_id` becomes `pre..._id`."""
    return name if len(name) <= 12 else f"{name[:3]}...{name[-3:]}"


def join_quoted(values: Iterable[str], conjunction: str) -> str:
    """Return the values in quotes as a list in a sentence: `'a', 'b', or 'c'`."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) <= 2:
        return f" {conjunction} ".join(quoted)
    return f"{', '.join(quoted[:-1])}, {conjunction} {quoted[-1]}"
