from collections.abc import Collection, Sequence
from typing import Any

from conversations.models import Item
from conversations.schema.include import revealed


def item_list(items: Sequence[Item], *, include: Collection[str], has_more: bool = False) -> dict[str, Any]:
    """OpenAI's list object; the ids of an empty list are null."""
    return {
        "object": "list",
        "data": [revealed(item.data, include) for item in items],
        "first_id": items[0].item_id if items else None,
        "has_more": has_more,
        "last_id": items[-1].item_id if items else None,
    }
