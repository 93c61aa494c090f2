"""Ids as OpenAI writes them: a prefix and 48 lower-case hex digits, of which the first 8 are the Unix second.

Here 8 more digits hold the nanoseconds and the last 32 are random, so text order is creation order, and ids
brought from elsewhere sort among ours by their second.
"""

import os
import re
import threading
import time
from datetime import UTC, datetime

from conversations import errors

CONVERSATION_PREFIX = "conv_"
MAX_LENGTH = 64

_WELL_FORMED = re.compile(r"[A-Za-z0-9_-]+\Z", re.ASCII)
_clock_lock = threading.Lock()
_last_ns = 0


def new_id(prefix: str) -> str:
    return id_of(prefix, nanoseconds=_tick(), bits=int.from_bytes(os.urandom(16)))


def new_conversation_id() -> str:
    return new_id(CONVERSATION_PREFIX)


def id_of(prefix: str, *, nanoseconds: int, bits: int) -> str:
    """The id of this Unix time and these 128 bits."""
    second, fraction = divmod(nanoseconds, 1_000_000_000)
    return f"{prefix}{second:08x}{fraction:08x}{bits:032x}"


def first_id(prefix: str, *, seconds: int) -> str:
    """What sorts before every id of this Unix second, and after those of the second before."""
    return f"{prefix}{min(max(seconds, 0), 0xFFFFFFFF):08x}"


def created_at(new_id: str) -> datetime:
    """When `new_id()` made this id, to the microsecond."""
    digits = new_id.rpartition("_")[2]
    return datetime.fromtimestamp(int(digits[:8], 16), tz=UTC).replace(microsecond=int(digits[8:16], 16) // 1000)


def is_well_formed(value: str) -> bool:
    return len(value) <= MAX_LENGTH and _WELL_FORMED.match(value) is not None


def check_id(value: str, *, prefix: str = "", path: str) -> None:
    """Raise an error that names `path` unless `value` is at most 64 letters, digits, `_` and `-` after `prefix`."""
    if len(value) > MAX_LENGTH:
        raise errors.string_too_long(path, value, maximum=MAX_LENGTH)
    if not value.startswith(prefix):
        raise errors.wrong_id_prefix(path, value, prefix=prefix)
    if not _WELL_FORMED.match(value):
        raise errors.wrong_id_characters(path, value)


def _tick() -> int:
    """The clock in nanoseconds, never the same twice in a process and never backwards."""
    global _last_ns
    with _clock_lock:
        _last_ns = max(time.time_ns(), _last_ns + 1)
        return _last_ns
