"""The items of a conversation as the beginning of a model's input."""

from __future__ import annotations

import logging
from collections import Counter
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


logger = logging.getLogger("conversations.responses")


def build_history(conversation: Conversation, *, using: str) -> list[dict[str, Any]]:
    """Return all items in order, with every member.

    Items keep their ids only if the upstream is OpenAI and has stored them: it looks up every id that it gets. The id
    of a redacted item would lead it to the content. Items of CONVERSATIONS_UPSTREAM_OMITTED_TYPES are left out, and the
    log says how many items of each type were.
    """
    omitted = set(upstream_settings.upstream_omitted_types)
    rows = conversation.items.using(using).order_by("position").values_list("position", "type", "data")
    known = _positions_at_openai(conversation, using=using) if upstream_settings.is_openai else set()
    history: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    for position, item_type, data in rows.iterator(chunk_size=500):
        if item_type in omitted:
            sent = []
        elif position in known and REDACTION not in data:
            sent = [data]
        else:
            sent = build_input([data])
        history += sent
        left_out[item_type] += not sent
    if counts := ", ".join(f"{count} {name}" for name, count in sorted((+left_out).items())):
        logger.info("Left items of %s out of the history: %s", conversation.pk, counts)
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
