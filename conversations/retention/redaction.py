"""Redaction: replace an item by a marker with who, when and why, wherever a copy of the item is stored.

Forks and references copy items with their ids, and the trash has conversations as compressed exports. All other copies
come before the item itself, each in a short transaction of its own, so that an interrupted redaction is started again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.db import router, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from conversations.db.replica import track_owner_writes
from conversations.db.retry import retry_on_conflict
from conversations.errors import APIError
from conversations.models import (
    AccessRecord,
    Actor,
    Conversation,
    DeletedConversation,
    DeletedPart,
    Item,
    ItemText,
    RequestRecord,
)
from conversations.models.deleted_conversation import PART_BYTES
from conversations.models.writer import call_balance_of
from conversations.overview.rollup import recounted
from conversations.schema.model_input import REDACTION
from conversations.transfer.gzip_stream import compress, join_chunks, open_gzip_chunks

MAX_REASON_LENGTH = 500


@dataclass
class Redaction:
    """The result of a redaction: how many copies were replaced, and how many stay because of a legal hold."""

    marker: dict[str, Any]
    copy_count: int = 0
    held_count: int = 0


@track_owner_writes
def redact_item(conversation: Conversation, item_id: str, *, reason: str, redacted_by: Actor) -> Redaction:
    """Replace the item, and all copies of it that belong to the same owner or came from a common origin, by a marker.

    A copy has the same id and the same data. The access log gets an entry. Raise `APIError` if there is no such item or
    the conversation is on legal hold; copies in other held conversations stay and are counted.
    """
    using = conversation.write_alias
    if not reason.strip() or len(reason) > MAX_REASON_LENGTH:
        raise ValueError(f"The reason must have from 1 to {MAX_REASON_LENGTH} characters.")
    with transaction.atomic(using=using):
        conversation.lock_for_change()  # Refuse before any copy is redacted.
        original = conversation.items.using(using).get_or_api_error(item_id).data
    redaction = Redaction(_build_marker(original, reason=reason, redacted_by=redacted_by))
    lineage = _lineage(conversation, using=using)
    copies = Item.objects.using(using).filter(item_id=item_id).exclude(conversation=conversation.pk)
    for copy in copies.select_related("conversation").order_by("pk"):
        is_own = copy.conversation.owner_id == conversation.owner_id
        if copy.data != original or not (is_own or lineage & _lineage(copy.conversation, using=using)):
            continue
        try:
            _replace(copy.conversation, original, redaction.marker)
            redaction.copy_count += 1
        except APIError as error:
            redaction.held_count += error.code == "conversation_held"
    _redact_trash(conversation, lineage, original, redaction)
    details = {"item": item_id, "reason": reason, "copies": redaction.copy_count, "on legal hold": redaction.held_count}
    _replace(conversation, original, redaction.marker, redacted_by=redacted_by, details=details)
    ItemText.objects.using(using).purge_deleted_words()
    return redaction


def _lineage(conversation: Conversation, *, using: str) -> set[str]:
    """Return the ids of the conversation and of all that it was forked from, directly or not."""
    ids, origin = {conversation.pk}, conversation.forked_from
    while origin and origin not in ids:
        ids.add(origin)
        rows = Conversation.objects.using(using).filter(pk=origin)
        origin = rows.values_list("forked_from", flat=True).first()
    return ids


@retry_on_conflict
def _replace(
    conversation: Conversation,
    original: dict[str, Any],
    marker: dict[str, Any],
    *,
    redacted_by: Actor | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Replace the item in its row, in the full-text index and in the records of requests, in one transaction."""
    using = conversation.write_alias
    with transaction.atomic(using=using):
        conversation.lock_for_change()
        item = conversation.items.using(using).get_or_api_error(original["id"])
        # The manager of items refuses to change them.
        rows: QuerySet[Item] = QuerySet(Item, using=using).filter(pk=item.pk)
        with recounted(rows):
            rows.update(type=marker["type"], call_id="", tool="", status="", data=marker)
        if balance := call_balance_of([item]):
            conversation.update_counters(call_balance=F("call_balance") - balance)
        ItemText.objects.using(using).filter(conversation=conversation.pk, position=item.position).delete()
        ItemText.objects.using(using).add(rows)
        records = RequestRecord.objects.using(using)
        records.drop_items(conversation.pk, after=item.position - 1, up_to=item.position)
        if redacted_by:
            AccessRecord.objects.record(
                user=redacted_by,
                action=AccessRecord.Action.REDACT,
                conversation_id=conversation.pk,
                details=details,
            )


def _redact_trash(
    conversation: Conversation, lineage: set[str], original: dict[str, Any], redaction: Redaction
) -> None:
    """Rewrite the copies in the trash that have the item: of this lineage and of other conversations of the owner."""
    using = router.db_for_write(DeletedConversation)
    copies = DeletedConversation.objects.using(using)
    copies = copies.filter(Q(owner=conversation.owner_id) | Q(conversation_id__in=lineage)).order_by("pk")
    for copy in copies.iterator():
        with open_gzip_chunks(copy.content(using=using)) as lines:
            is_copy = any(_redact_line(line, original, redaction.marker) is not line for line in lines)
        if is_copy and copy.is_held:
            redaction.held_count += 1
        elif is_copy:
            redaction.copy_count += _rewrite(copy, original, redaction.marker, using=using)


@retry_on_conflict
def _rewrite(copy: DeletedConversation, original: dict[str, Any], marker: dict[str, Any], *, using: str) -> bool:
    with transaction.atomic(using=using):
        if not DeletedConversation.objects.using(using).filter(pk=copy.pk, is_held=False).lock():
            return False
        parts = DeletedPart.objects.using(using).filter(deleted_conversation=copy.pk)
        last = parts.order_by("-number").values_list("number", flat=True)[0]
        lines = (_redact_line(line, original, marker) for line in open_gzip_chunks(copy.content(using=using)))
        # The old parts stay until the last one was read, and the new ones follow them in the order of numbers.
        new_parts = [bytes(part) for part in join_chunks(compress(lines), PART_BYTES)]
        parts.filter(number__lte=last).delete()
        for number, content in enumerate(new_parts, start=last + 1):
            DeletedPart.objects.using(using).create(deleted_conversation=copy, number=number, content=content)
    return True


def _redact_line(line: bytes, original: dict[str, Any], marker: dict[str, Any]) -> bytes:
    """Return the line of an export, or one with the marker if the line is of a copy of the item."""
    if original["id"].encode() not in line:
        return line
    value = json.loads(line)
    if value.get("data") != original:
        return line
    return json.dumps({**value, "data": marker}, ensure_ascii=False).encode() + b"\n"


def marker_text(reason: str) -> str:
    """Return the text that clients and models read in place of the content."""
    return f"[Redacted: {reason}]"


def _build_marker(original: dict[str, Any], *, reason: str, redacted_by: Actor) -> dict[str, Any]:
    """Return a message that clients can read and models can be given, whatever the type of the item was."""
    role = original.get("role") if original["type"] == "message" else None
    role = role if role in ("user", "system", "developer") else "assistant"
    text = {"type": "input_text", "text": marker_text(reason)}
    if role == "assistant":
        text = {"type": "output_text", "text": text["text"], "annotations": [], "logprobs": []}  # type: ignore[dict-item]
    return {
        "id": original["id"],
        "type": "message",
        "status": "completed",
        "content": [text],
        "role": role,
        REDACTION: {
            "item_type": original["type"],
            "reason": reason,
            "redacted_by": redacted_by if isinstance(redacted_by, str) else redacted_by.get_username(),
            "redacted_at": timezone.now().isoformat(timespec="seconds"),
        },
    }
