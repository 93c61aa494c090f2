"""The filter of an entry of the access log, in the words of the list."""

from __future__ import annotations

import json
import re

from conversations.admin.list.conditions import ConditionForm
from conversations.admin.list.field_conditions import LOG_NAMES, ConditionFields

DATES = {LOG_NAMES.get(name, name): name for name in ("created_from", "created_to", "active_from", "active_to")}
# Conditions that the list's own text can't be confused with. Their quantifiers are possessive: texts are long.
_STRING = r'"(?:[^"\\]|\\.)*+"'
_CONDITION = re.compile(
    rf"metadata\[(?P<key>{_STRING})\] (?P<operator>\w++) (?P<value>{_STRING})"
    rf"|(?<!\S)(?P<name>{'|'.join(DATES)})=(?P<date>\d{{4}}-\d\d-\d\d)(?!\S)"
)


def describe_filter(text: str) -> str:
    """Return the text with its conditions on metadata and dates as the list's chips word them."""
    parts, end = [], 0
    for match in _CONDITION.finditer(text):
        parts += [text[end : match.start()].strip(), _label(match)]
        end = match.end()
    return ", ".join(filter(None, [*parts, text[end:].strip()]))


def _label(match: re.Match[str]) -> str:
    if match["name"]:
        return ConditionFields().label_of(DATES[match["name"]], match["date"])
    try:
        key, value = json.loads(match["key"]), json.loads(match["value"])
    except ValueError:  # No condition of the list: somebody typed it.
        return match[0]
    return ConditionForm((key, match["operator"], value), number=0).label
