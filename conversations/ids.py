"""Ids in OpenAI's format: a prefix and 48 lower-case hex digits, the first 8 of which are the Unix second.

The next 8 digits are the nanoseconds within that second and the last 32 are random. Ids therefore sort by creation
time, and imported ids sort among them by their second.
"""

import os
import re
import threading
import time
from datetime import UTC, datetime

from conversations import errors

CONVERSATION_PREFIX = "conv_"
MAX_LENGTH = 64

_NEW_ID = re.compile(r"[a-z]+_[0-9a-f]{48}\Z")
_WELL_FORMED = re.compile(r"[A-Za-z0-9_-]+\Z", re.ASCII)
_clock_lock = threading.Lock()
_last_ns = 0


def new_id(prefix: str) -> str:
    return compose_id(prefix, nanoseconds=_next_nanoseconds(), bits=int.from_bytes(os.urandom(16)))


def new_conversation_id() -> str:
    return new_id(CONVERSATION_PREFIX)


def new_request_id() -> str:
    return f"req_{os.urandom(16).hex()}"


def compose_id(prefix: str, *, nanoseconds: int, bits: int) -> str:
    """Return the id for a Unix time in nanoseconds and 128 bits that tell ids of the same time apart."""
    second, fraction = divmod(nanoseconds, 1_000_000_000)
    return f"{prefix}{second:08x}{fraction:08x}{bits:032x}"


def lower_bound(prefix: str, *, seconds: int) -> str:
    """Return a string that sorts before every id of this Unix second and after every id of earlier seconds."""
    return f"{prefix}{min(max(seconds, 0), 0xFFFFFFFF):08x}"


def is_new_id(value: str) -> bool:
    """Whether `new_id` may have created the id: it has the form, and less than a second of nanoseconds."""
    return _NEW_ID.match(value) is not None and int(value[-40:-32], 16) < 1_000_000_000


def continue_after(new_id: str) -> None:
    """Have `new_id` create only ids that sort after this one, whatever the machine's clock says."""
    global _last_ns
    digits = new_id.rpartition("_")[2]
    with _clock_lock:
        _last_ns = max(_last_ns, int(digits[:8], 16) * 1_000_000_000 + int(digits[8:16], 16))


def created_at(new_id: str) -> datetime:
    """Return when `new_id` created the id, to the microsecond. Other ids may not contain a time."""
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


def _next_nanoseconds() -> int:
    """Return the Unix time in nanoseconds, greater than every value returned before in this process."""
    global _last_ns
    with _clock_lock:
        _last_ns = max(time.time_ns(), _last_ns + 1)
        return _last_ns
