"""Items of a conversation whose text a function accepts, found without an index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Length

from conversations.db.fields import StoredText
from conversations.schema.searchable_text import extract_text


@dataclass(frozen=True)
class FoundItem:
    """An item that a search found, without its content."""

    item_id: str
    position: int


def find_items(
    items: QuerySet[Any], matches: Callable[[str], bool], *, max_characters: int
) -> tuple[list[FoundItem], bool]:
    """Return the items whose readable text matches, in order of position, and whether all could be examined.

    Examining stops after `max_characters` of JSON. Filter by conversation first.
    """
    rows = items.order_by("position").values_list("position", "item_id", "type", "data", Length(StoredText("data")))
    found: list[FoundItem] = []
    for position, item_id, item_type, data, length in rows.iterator(chunk_size=100):
        if matches(extract_text(item_type, data)):
            found.append(FoundItem(item_id, position))
        max_characters -= length
        if max_characters < 0:
            return found, False
    return found, True
