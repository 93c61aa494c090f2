"""What JSON can write and not every database can keep: refused on all of them alike."""

import json
import math
import re
from typing import Any

import orjson

from conversations import errors

MAX_DEPTH = 128
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1

LONG_NUMBER = re.compile(rb"[0-9]{19}")
UNSTORABLE_CHARACTER = re.compile("[\0\ud800-\udfff]")


def loads(text: bytes) -> Any:
    """JSON that can be stored. Raises an `APIError` for what can't be, and a `ValueError` for what is no JSON."""
    if b"\\u0000" not in text and not LONG_NUMBER.search(text):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            pass  # be it no JSON, or hold surrogates or numbers that the other parser reads, to tell where they are
        else:
            if text.count(b"[") + text.count(b"{") > MAX_DEPTH:
                check_storable(value)
            return value
    try:
        value = json.loads(text.decode(), parse_int=_bounded_int)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    check_storable(value)
    return value


def check_storable(value: Any, *, path: str = "") -> None:
    """Raise an error with the path of the first value that can't be stored.

    Refused are NUL characters and lone surrogates in strings and names, integers beyond 64 bits, NaN and
    infinities, and nesting deeper than 128.
    """
    pending = [(value, path, 1)]
    while pending:
        value, path, depth = pending.pop()
        if isinstance(value, str):
            _check_text(value, path)
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise errors.unstorable_value(path, f"nested too deeply. Expected at most {MAX_DEPTH} levels")
            pending.extend((member, where, depth + 1) for member, where in _members(value, path))
        elif isinstance(value, float) and not math.isfinite(value):
            raise errors.unstorable_value(path, "not a finite number. Expected a number other than NaN and Infinity")
        elif type(value) is int and not MIN_INTEGER <= value <= MAX_INTEGER:
            raise errors.unstorable_value(path, "integer out of range. Expected an integer of at most 64 bits")


def _bounded_int(digits: str) -> int:
    """Python refuses to convert thousands of digits; any number out of range is refused later, with its path."""
    return int(digits) if len(digits) <= 20 else MAX_INTEGER + 1


def _members(value: dict[str, Any] | list[Any], path: str) -> list[tuple[Any, str]]:
    if isinstance(value, list):
        return [(member, f"{path}[{index}]") for index, member in enumerate(value)][::-1]
    for name in value:
        _check_text(name, path)
    return [(member, f"{path}.{name}" if path else name) for name, member in value.items()][::-1]


def _check_text(text: str, path: str) -> None:
    if match := UNSTORABLE_CHARACTER.search(text):
        name = "NUL character" if match[0] == "\0" else "lone surrogate"
        raise errors.unstorable_value(path, f"{name} in a string. Expected text without it")
