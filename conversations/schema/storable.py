"""What JSON can write and not every database can keep: refused on all of them alike."""

import math
import re
from typing import Any

from conversations import errors

MAX_DEPTH = 128
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1

UNSTORABLE_CHARACTER = re.compile("[\0\ud800-\udfff]")


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
