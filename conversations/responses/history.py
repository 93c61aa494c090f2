"""The items of a conversation as the beginning of a model's input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from conversations import errors
from conversations.models import Conversation, Item
from conversations.responses.conf import upstream_settings
from conversations.responses.models import Turn
from conversations.schema.model_input import REDACTION, build_input, without_id

OPENAI_LIFETIME = timedelta(days=29)  # OpenAI stores a response for 30 days.


def build_history(conversation: Conversation, *, using: str) -> list[dict[str, Any]]:
    """Return all items in order, with every member.

    Items keep their ids only if the upstream is OpenAI and has stored them: it looks up every id that it gets. The id
    of a redacted item would lead it to the content. Items of CONVERSATIONS_UPSTREAM_OMITTED_TYPES are left out.
    """
    omitted = upstream_settings.upstream_omitted_types
    items = conversation.items.using(using).exclude(type__in=omitted).order_by("position")
    rows = items.values_list("position", "data")
    known = _positions_at_openai(conversation, using=using) if upstream_settings.is_openai else set()
    history: list[dict[str, Any]] = []
    for position, data in rows.iterator(chunk_size=500):
        history += [data] if position in known and REDACTION not in data else build_input([data])
    return history


def _positions_at_openai(conversation: Conversation, *, using: str) -> set[int]:
    turns = Turn.objects.using(using).filter(
        conversation=conversation.pk, has_upstream_ids=True, started_at__gt=timezone.now() - OPENAI_LIFETIME
    )
    ends = turns.values_list("last_position", "output_count")
    return {position for last, count in ends for position in range(last - count + 1, last + 1)}


def resolve_references(items: Sequence[Any], *, visible: Q, using: str) -> list[Any]:
    """Return the input with the stored items in place of references to them. Raise `APIError` if one is unknown."""
    if not any(_is_reference(item) for item in items):
        return list(items)
    ids = [item["id"] for item in items if _is_reference(item)]
    originals = Item.objects.using(using).originals(ids, within=visible)
    resolved: list[Any] = []
    for item in items:
        if not _is_reference(item):
            resolved.append(item)
        elif item["id"] in originals:
            resolved.append(without_id(originals[item["id"]].data))
        else:
            raise errors.referenced_item_not_found(item["id"])
    return resolved


def _is_reference(item: Mapping[str, Any]) -> bool:
    return item.get("type") == "item_reference" or (item.get("type") is None and item.keys() - {"type"} == {"id"})
