"""End users: whom an application talks to with its one API key. Its own names of them are kept as they are."""

from typing import Any

from conversations import errors
from conversations.schema.json_limits import check_storable

MAX_END_USER_LENGTH = 256


def validate_end_user(value: Any, *, path: str) -> str:
    """Return the name of an end user, or raise an `APIError` unless it is a text of 1 to 256 characters."""
    if not isinstance(value, str):
        raise errors.invalid_type(path, expected="a string", got=value)
    if not value:
        raise errors.empty_string(path)
    if len(value) > MAX_END_USER_LENGTH:
        raise errors.string_too_long(path, value, maximum=MAX_END_USER_LENGTH)
    check_storable(value, path=path)
    return value
