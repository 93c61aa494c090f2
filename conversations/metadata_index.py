"""Compares the index of metadata with the JSON of conversations, which is the truth, and mends the index."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import transaction
from django.db.models import F

from conversations.db.retry import retry_on_conflict
from conversations.models import Conversation, MetadataPair
from conversations.schema.metadata import validate_metadata


def find_differences(conversation_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return descriptions of the differences to the index, by conversation id, for conversations that have any.

    One statement reads both tables, so that it sees a parallel update completely or not at all.
    """
    rows = (
        Conversation.objects.filter(pk__in=conversation_ids)
        .order_by("pk")
        .values_list(
            "pk",
            "owner_id",
            "metadata",
            "metadata_pairs__key",
            "metadata_pairs__value",
            "metadata_pairs__owner_id",
        )
    )
    found = {}
    for conversation_id, group in groupby(rows, key=itemgetter(0)):
        [(_, owner, metadata, *_), *_] = joined = list(group)
        pairs = {key: (value, owner) for *_, key, value, owner in joined if key is not None}
        if differences := _differences(metadata, owner, pairs):
            found[conversation_id] = differences
    return found


@retry_on_conflict
def repair(conversation_id: str) -> list[str]:
    """Make the index what the JSON says, and tell what differed: nothing if the conversation is gone by now.

    An `APIError` tells why metadata that went past validation has no place in the index.
    """
    with transaction.atomic():
        # A write that changes nothing takes the row's lock: whatever updates metadata is done, or waits for this.
        if not Conversation.objects.filter(pk=conversation_id).update(last_position=F("last_position")):
            return []
        differences = find_differences([conversation_id]).get(conversation_id, [])
        if differences:
            conversation = Conversation.objects.get(pk=conversation_id)
            metadata = validate_metadata(conversation.metadata)
            MetadataPair.objects.replace(metadata, conversation_id=conversation.pk, owner_id=conversation.owner_id)
        return differences


def _differences(metadata: Any, owner: Any, pairs: Mapping[str, tuple[str, Any]]) -> list[str]:
    if not isinstance(metadata, dict):
        return ["metadata is not an object"]
    missing = [f"{key!r} is missing" for key in metadata if key not in pairs]
    differing = []
    for key, (value, owner_of_pair) in sorted(pairs.items()):
        if key not in metadata:
            differing.append(f"{key!r} is too many")
        elif value != metadata[key]:
            differing.append(f"{key!r} has another value")
        if owner_of_pair != owner:
            differing.append(f"{key!r} has another owner")
    return missing + differing
