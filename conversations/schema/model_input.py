"""The `input` of a model call, made of the items of a conversation."""

from collections.abc import Iterable
from typing import Any

from conversations.schema.items import ITEM_TYPES

REDACTION = "redaction"  # the member of an item that says that it replaces a redacted one


def build_input(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the items without their ids, because OpenAI looks for an item whose id it gets, and fails without it.

    An id stays if it is the member by which a call and its output find each other. Reasoning whose content is not
    encrypted is left out, because only its id would lead a model to that.
    """
    return [without_id(item) for item in items if item["type"] != "reasoning" or item.get("encrypted_content")]


def without_id(item: dict[str, Any]) -> dict[str, Any]:
    """Return the item without its id, unless a call and its output find each other by it.

    The member of a redacted item that models do not know is left out too.
    """
    registered = ITEM_TYPES.get(item["type"])
    if registered and registered.pairing_member == "id":
        return item
    return {name: value for name, value in item.items() if name not in ("id", REDACTION)}
