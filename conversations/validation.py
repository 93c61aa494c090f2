"""Validation of the arguments of verbs by the rules of the API and the settings of your project."""

from __future__ import annotations

from typing import Any

from conversations import errors
from conversations.conf import app_settings
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


def clean_owner(owner: Any) -> Any:
    """Return the primary key of a user, or raise an `APIError` if the user is anonymous or was never saved."""
    if owner.pk is None:
        raise errors.unstorable_value("owner", "not a stored user. Expected a user who is logged in")
    return owner.pk
