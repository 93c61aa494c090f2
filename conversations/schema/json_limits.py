"""Limits of JSON values. The values that some database can't store are refused on every database.

Message content may have NUL characters, because JSON text holds them escaped, and its lone surrogates become U+FFFD.
Text that the databases compare, such as metadata, may have neither.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from itertools import islice, pairwise
from typing import Any

import orjson

from conversations import errors

MAX_DEPTH = 128
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1

LONG_NUMBER = re.compile(rb"[0-9]{19}")
UNSTORABLE_CHARACTER = re.compile("[\0\ud800-\udfff]")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"
STRICT_MEMBER = "metadata"  # of a request
# Matches up to the next separator outside of strings. The quantifiers are possessive, so every text is scanned once.
NEXT_SEPARATOR = re.compile(rb'(?:[^,\[{"]|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)*+([,\[{]|\Z)', re.DOTALL)


def loads(text: bytes, *, max_values: int | None = None) -> Any:
    """Return the value of a JSON text that can be stored, with U+FFFD for each lone surrogate.

    Raise an `APIError` if it holds a value that can't be, or more than `max_values` values, and a `ValueError` if it
    is not JSON. NUL characters and lone surrogates can't be stored in `STRICT_MEMBER` of the outermost object.
    """
    if max_values is not None:
        check_value_count(text, maximum=max_values)
    if not LONG_NUMBER.search(text):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            pass  # Python's parser also accepts lone surrogates and any number, so the error can name their path.
        else:
            # orjson refuses every unstorable value except NUL characters and deep nesting.
            if b"\\u0000" in text:
                _check_strict_member(value)
            if text.count(b"[") + text.count(b"{") > MAX_DEPTH:
                check_limits(value)
            return value
    try:
        value = json.loads(text.decode(), parse_int=_bounded_int)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    check_limits(value)
    _check_strict_member(value)
    return replace_lone_surrogates(value)


def to_json(value: Any, *, path: str) -> Any:
    """Return a copy of a Python value as a request would carry it: lists for tuples, plain text for kinds of `str`.

    Raise an `APIError` if the value, or one in it, is not JSON or can't be stored. `path` is the name of the value.
    """
    try:
        return loads(json.dumps({path: value}).encode())[path]
    except (RecursionError, TypeError, ValueError) as error:
        raise errors.unstorable_value(path, f"not JSON ({error})") from error


def check_value_count(text: bytes, *, maximum: int) -> None:
    """Raise an error if a JSON text has more than `maximum` commas and opening brackets outside of its strings.

    Each value follows a comma or a bracket. The count comes before parsing, because an empty array of 3 bytes becomes
    a Python object of 56 bytes.
    """
    if text.count(b",") + text.count(b"[") + text.count(b"{") <= maximum:
        return  # The exact count is slower, and only needed for texts with many commas in their strings.
    one_too_many = next(islice(NEXT_SEPARATOR.finditer(text), maximum, None), None)
    if one_too_many and one_too_many[1]:
        raise errors.too_many_values(maximum=maximum)


def check_storable(value: Any, *, path: str = "") -> None:
    """Raise an error with the path of the first value that can't be stored.

    Unstorable are the values that `check_limits` refuses, and NUL characters and lone surrogates in strings and names.
    """
    _check(value, path=path, is_strict=True)


def check_limits(value: Any) -> None:
    """Raise an error with the path of the first integer beyond 64 bits, NaN, infinity, or value below 128 levels."""
    _check(value, path="", is_strict=False)


def replace_lone_surrogates(value: Any) -> Any:
    """Return the value with U+FFFD for each lone surrogate in its strings and names, as JavaScript's TextEncoder does.

    It is the same object if there are none.
    """
    try:
        orjson.dumps(value)  # refuses lone surrogates, and is many times faster than looking for them in each string
    except TypeError:
        return _map_texts(value, lambda text: LONE_SURROGATE.sub(REPLACEMENT, text))
    return value


def replace_nul(value: Any) -> Any:
    """Return the value with U+FFFD for each NUL character in its strings and names, as HTML shows no NUL."""
    return _map_texts(value, lambda text: text.replace("\0", REPLACEMENT))


def _map_texts(value: Any, function: Callable[[str], str]) -> Any:
    """Return the value with the results of `function` in place of its strings and names."""
    if isinstance(value, str):
        return function(value)
    if isinstance(value, list):
        return [_map_texts(member, function) for member in value]
    if isinstance(value, dict):
        return {function(name): _map_texts(member, function) for name, member in value.items()}
    return value


def _check_strict_member(value: Any) -> None:
    if isinstance(value, dict) and STRICT_MEMBER in value:
        check_storable(value[STRICT_MEMBER], path=STRICT_MEMBER)


def _check(value: Any, *, path: str, is_strict: bool) -> None:
    try:
        _check_members([value], depth=1, is_strict=is_strict)
    except _Unstorable as error:
        raise errors.unstorable_value(_path(error.values[-2::-1], path), error.problem) from None


class _Unstorable(Exception):
    """A problem and the value that has it, followed by the arrays and objects around it from the inside out."""

    def __init__(self, problem: str, value: Any) -> None:
        self.problem = problem
        self.values = [value]


def _check_members(container: list[Any] | dict[str, Any], *, depth: int, is_strict: bool) -> None:
    """Raise `_Unstorable` for the first unstorable value below a container whose members are at `depth`.

    Called for every array and object of a request, so it builds no path and does nothing for an empty one.
    """
    try:
        for member in container.values() if isinstance(container, dict) else container:
            member_type = type(member)
            if member_type is str:
                if is_strict and UNSTORABLE_CHARACTER.search(member):
                    raise _unstorable_text(member, value=member)
            elif member_type is dict or member_type is list:
                if depth > MAX_DEPTH:
                    raise _Unstorable(f"nested too deeply. Expected at most {MAX_DEPTH} levels", member)
                if is_strict and member_type is dict and UNSTORABLE_CHARACTER.search(names := "".join(member)):
                    raise _unstorable_text(names, value=member)
                if member:
                    _check_members(member, depth=depth + 1, is_strict=is_strict)
            elif member_type is int:
                if not MIN_INTEGER <= member <= MAX_INTEGER:
                    raise _Unstorable("integer out of range. Expected an integer of at most 64 bits", member)
            elif member_type is float and not math.isfinite(member):
                raise _Unstorable("not a finite number. Expected a number other than NaN and Infinity", member)
    except _Unstorable as error:
        error.values.append(container)
        raise


def _unstorable_text(text: str, *, value: Any) -> _Unstorable:
    character = "NUL character" if UNSTORABLE_CHARACTER.findall(text)[0] == "\0" else "lone surrogate"
    return _Unstorable(f"{character} in a string. Expected text without it", value)


def _bounded_int(digits: str) -> int:
    """Convert digits to an integer. Replace one of more than 64 bits by an integer that `check_storable` refuses.

    Python raises an error without a path for thousands of digits.
    """
    return int(digits) if len(digits) <= 20 else MAX_INTEGER + 1


def _path(values: list[Any], start: str) -> str:
    """Return the path of the last value. Each value is a member of the value before it."""
    path = start
    for container, member in pairwise(values):
        pairs: Iterable[tuple[Any, Any]] = container.items() if isinstance(container, dict) else enumerate(container)
        step = next(name for name, value in pairs if value is member)
        if isinstance(container, list):
            path += f"[{step}]"
        else:
            path = f"{path}.{step}" if path else step
    return path
