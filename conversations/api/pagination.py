from collections.abc import Collection, Sequence
from typing import Any

from conversations.schema.include import apply_include


def item_list(items: Sequence[dict[str, Any]], *, include: Collection[str], has_more: bool = False) -> dict[str, Any]:
    return list_object([apply_include(item, include) for item in items], has_more=has_more)


def list_object(data: Sequence[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """Return OpenAI's list object; `first_id` and `last_id` are null if the list is empty."""
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "has_more": has_more,
        "last_id": data[-1]["id"] if data else None,
    }
