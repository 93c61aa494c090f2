"""The items by which a conversation matches a query."""

from __future__ import annotations

from typing import Any

from conversations.schema.query.nodes import (
    HasCondition,
    ItemCondition,
    Query,
    TextCondition,
    iter_conditions,
    iter_positive_conditions,
)
from conversations.search.item_text import ItemTextQuerySet


def matching_positions(query: Query, *, items: Any, texts: ItemTextQuerySet) -> set[int]:
    """Return the positions of items with which a conversation still matches when it has lost the others.

    They are, for each condition on items that is not negated, those of the first item that meets it. `items` and
    `texts` are those of one conversation.
    """
    positions: set[int | None] = set()
    for condition in iter_positive_conditions(query):
        match condition:
            case TextCondition(phrase):
                positions.add(_first_position(texts.containing_phrase(phrase)))
            case ItemCondition():
                positions.add(_first_position(items.filter(**{condition.column: condition.value})))
            case HasCondition("unanswered_call"):
                positions.update(call.position for call in items.unanswered_calls()[:1])
    matching = {position for position in positions if position is not None}
    if HasCondition("unanswered_call") in iter_conditions(query):
        # A call that loses its output would become an unanswered one.
        call_ids = items.filter(position__in=matching, call_id__gt="").values_list("call_id", flat=True)
        matching.update(items.filter(call_id__in=list(call_ids)).values_list("position", flat=True))
    return matching


def _first_position(rows: Any) -> int | None:
    position: int | None = rows.order_by("position").values_list("position", flat=True).first()
    return position
