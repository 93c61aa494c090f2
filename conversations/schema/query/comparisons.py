"""Comparisons of the query language that are not about metadata: `created`, `active` and `items`."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from conversations.schema.query.nodes import (
    ActiveCondition,
    Comparison,
    Condition,
    CreatedCondition,
    ItemCountCondition,
)

COMPARISONS: dict[str, Comparison] = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
COMPARED: dict[str, Callable[[Comparison, int], Condition]] = {
    "created": CreatedCondition,
    "active": ActiveCondition,
    "items": ItemCountCondition,
}
EXPECTED_VALUES = {"items": "a whole number of at most 9 digits"}
EXPECTED_TIME = "a date, an ISO date-time or Unix seconds"

MAX_COUNT = 999_999_999  # of 9 digits

_COUNT = re.compile("[0-9]{1,9}")
_SECONDS = re.compile("-?[0-9]{1,12}")
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(_DATE.pattern + r"T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400


def parse_number(name: str, text: str, operator: Comparison) -> int | None:
    """Return the number that a value of the comparison `name` stands for, or None if it stands for none."""
    if name == "items":
        return int(text) if _COUNT.fullmatch(text) else None
    return _seconds(text, operator)


def _seconds(text: str, operator: Comparison) -> int | None:
    """Convert a date, date-time or number to Unix seconds, or return None if the text is none of these.

    Fractions are rounded so that the comparison holds for the same whole seconds. A date means its whole day in UTC:
    `>` is after the day, and `<=` until its end.
    """
    if _SECONDS.fullmatch(text):
        return int(text)
    is_date = _DATE.fullmatch(text) is not None
    if not is_date and not _TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    since_epoch = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    if operator in ("gte", "lt"):
        return -(-since_epoch // timedelta(seconds=1))
    return since_epoch // timedelta(seconds=1) + (_DAY - 1 if is_date else 0)
