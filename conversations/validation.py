"""Validation and redaction of the arguments of verbs by the rules of the API and the settings of your project.

`QueryRefusal` has what to tell people whose query is refused. The API has messages of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string
from django.utils.translation import gettext

from conversations import errors
from conversations.conf import app_settings
from conversations.errors import APIError
from conversations.schema.end_user import validate_end_user
from conversations.schema.items import validate_items
from conversations.schema.json_limits import to_json
from conversations.schema.metadata import validate_metadata
from conversations.schema.query.forgiving import read_forgivingly
from conversations.schema.query.syntax_error import QuerySyntaxError

_OPERATOR_AT_END = re.compile(r"(?:\A|[\s(])(AND|OR|NOT)\s*\Z")


def validate_request_items(items: Any, *, max_items: int | None) -> list[dict[str, Any]]:
    """Return the items of a request with their default values, or raise an `APIError`."""
    return validate_items(
        items,
        max_items=max_items,
        unknown_fields=app_settings.unknown_item_fields,
        extra_types=app_settings.extra_item_types,
    )


def clean_items(items: Any) -> list[dict[str, Any]]:
    """Return items from Python code, any number of them, as the API would store them, or raise an `APIError`."""
    return validate_request_items(to_json(items, path="items"), max_items=None)


def clean_metadata(metadata: Any) -> dict[str, str]:
    """Return metadata from Python code as the API would store it, or raise an `APIError`."""
    return validate_metadata(to_json(metadata, path="metadata"))


def clean_end_user(end_user: Any) -> str | None:
    """Return the name of an end user from Python code, or None for None, or raise an `APIError`."""
    return None if end_user is None else validate_end_user(end_user, path="end_user")


def clean_row(conversation: Any) -> None:
    """Set the metadata and end user of a new row as the API would store them, or raise an `APIError`."""
    conversation.metadata = clean_metadata(conversation.metadata)
    conversation.end_user = clean_end_user(conversation.end_user)


def clean_owner(owner: Any) -> Any:
    """Return the primary key of a user, or raise an `APIError` if the user is anonymous or was never saved."""
    if owner.pk is None:
        raise errors.unstorable_value("owner", "not a stored user. Expected a user who is logged in")
    return owner.pk


def redact(data: dict[str, Any]) -> dict[str, Any]:
    """Return the item's JSON after all CONVERSATIONS_REDACTORS, in order.

    An exception of a redactor is not caught, so that the item is not stored. Raise `ValueError` if a redactor returns
    another item: without the id and the type, a reference would lead to the wrong one.
    """
    for path in app_settings.redactors:
        redacted = import_string(path)(data)
        if not isinstance(redacted, dict) or any(redacted.get(name) != data[name] for name in ("id", "type")):
            raise ValueError(f"{path} must return the item's data with the same id and type.")
        data = redacted
    return data


@dataclass(frozen=True)
class QueryRefusal:
    """The reason why a text is no query, as a message with the parts of the text, and a query to use instead."""

    text: str
    error: APIError

    def __str__(self) -> str:
        if not isinstance(self.error, QuerySyntaxError):
            return gettext("This query is too long or has too many conditions.")
        names = {"query": self.text.strip()}
        if self.error.is_incomplete and (operator := _OPERATOR_AT_END.search(self.text)):
            names["operator"] = operator[1]
            return gettext("“%(query)s” is incomplete: add a condition after %(operator)s.") % names
        if self.error.is_incomplete:
            return gettext("“%(query)s” is incomplete: add what is missing at its end.") % names
        if self.suggestion:
            return gettext("Put text in quotes to search for it: %(query)s") % {"query": self.suggestion}
        return gettext("“%(query)s” has no letter, digit or emoji to search for.") % names

    @property
    def suggestion(self) -> str:
        """The text with quotes around what was not understood, or "" if that would not help."""
        if not isinstance(self.error, QuerySyntaxError) or self.error.is_incomplete:
            return ""
        reading = read_forgivingly(self.text)
        return "" if reading.query is None else reading.text

    @property
    def refused_part(self) -> str:
        """The characters between spaces that were not understood."""
        at = self.error.position - 1 if isinstance(self.error, QuerySyntaxError) else len(self.text)
        before, after = self.text[:at].split(" ")[-1], self.text[at:].split(" ")[0]
        return before + after
