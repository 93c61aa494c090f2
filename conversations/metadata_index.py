"""Comparison of the metadata index with the JSON of conversations, and repair of the index from the JSON."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import router, transaction
from django.db.models import F

from conversations.db.retry import retry_on_conflict
from conversations.models import Conversation, MetadataPair
from conversations.schema.metadata import validate_metadata


def find_differences(conversation_ids: Iterable[str], *, using: str | None = None) -> dict[str, list[str]]:
    """Return the differences in words, by id, of conversations whose metadata and index differ.

    One statement reads both, so that it sees a parallel update completely or not at all.
    """
    rows = (
        Conversation.objects.using(using)
        .filter(pk__in=conversation_ids)
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
    differences_by_id = {}
    for conversation_id, group in groupby(rows, key=itemgetter(0)):
        [(_, owner, metadata, *_), *_] = conversation_rows = list(group)
        pairs = {key: (value, owner) for *_, key, value, owner in conversation_rows if key is not None}
        if differences := _differences(metadata, owner, pairs):
            differences_by_id[conversation_id] = differences
    return differences_by_id


@retry_on_conflict
def repair(conversation_id: str) -> list[str]:
    """Rebuild the index of a conversation if it differs from the JSON, and return the differences.

    The list is empty if there are none or the conversation was deleted. Raise an `APIError` if the metadata, stored
    without validation, can't be indexed.
    """
    using = router.db_for_write(Conversation)
    with transaction.atomic(using=using):
        rows = Conversation.objects.using(using).filter(pk=conversation_id)
        # This update changes nothing, but locks the row: parallel updates of its metadata wait.
        if not rows.update(last_position=F("last_position")):
            return []
        differences = find_differences([conversation_id], using=using).get(conversation_id, [])
        if differences:
            conversation = rows.get()
            metadata = validate_metadata(conversation.metadata)
            pairs = MetadataPair.objects.using(using)
            pairs.replace(metadata, conversation_id=conversation.pk, owner_id=conversation.owner_id)
        return differences


def _differences(metadata: Any, owner: Any, pairs: Mapping[str, tuple[str, Any]]) -> list[str]:
    if not isinstance(metadata, dict):
        return ["metadata is not an object"]
    missing = [f"{key!r} is missing" for key in metadata if key not in pairs]
    differing = []
    for key, (value, owner_of_pair) in sorted(pairs.items()):
        if key not in metadata:
            differing.append(f"{key!r} is not in the metadata")
        elif value != metadata[key]:
            differing.append(f"{key!r} has another value")
        if owner_of_pair != owner:
            differing.append(f"{key!r} has another owner")
    return missing + differing
