"""Validation and redaction of the arguments of verbs by the rules of the API and the settings of your project."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string

from conversations import errors
from conversations.conf import app_settings
from conversations.schema.end_user import validate_end_user
from conversations.schema.items import validate_items
from conversations.schema.json_limits import to_json
from conversations.schema.metadata import validate_metadata


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
