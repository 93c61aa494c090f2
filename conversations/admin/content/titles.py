"""Reading the first messages of conversations for their titles, with an access record of the reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models.functions import Substr
from django.http import HttpRequest

from conversations.admin.content.access import ContentAdmin, readable
from conversations.admin.content.previews import first_message_in, first_messages
from conversations.errors import APIError
from conversations.models import AccessRecord, Conversation, DeletedConversation, DeletedPart
from conversations.trash import read_deleted_items

DELETED_BYTES = 16 * 1024  # of a compressed copy, searched for the first message


def read_first_messages(
    model_admin: ContentAdmin, request: HttpRequest, conversations: Sequence[Conversation]
) -> dict[str, str]:
    """Return the first messages by id, in one query, of the conversations that the user may read."""
    rows = [row for row in readable(model_admin, request, conversations) if row.item_count]
    if not rows:
        return {}
    _record(request, [row.pk for row in rows])
    return first_messages(rows)


def read_deleted_first_messages(
    model_admin: Any, request: HttpRequest, deleted: Sequence[DeletedConversation], *, query: str = ""
) -> dict[int, str]:
    """Return the first messages by primary key, in one query that reads the beginnings of the copies.

    A message is missing if the user may not read it, if it stands further on in the copy, or if the copy can't be read.
    """
    may_read = model_admin.has_read_content_permission
    rows = {row.pk: row for row in deleted if row.item_count and may_read(request, row)}
    if not rows:
        return {}
    _record(request, [row.conversation_id for row in rows.values()], query=query)
    parts = DeletedPart.objects.filter(deleted_conversation__in=rows, number=1)
    beginnings = parts.values_list("deleted_conversation", Substr("content", 1, DELETED_BYTES))
    return {pk: _first_message(rows[pk], bytes(beginning)) for pk, beginning in beginnings}


def _first_message(deleted: DeletedConversation, beginning: bytes) -> str:
    try:
        return first_message_in(item for _length, item in read_deleted_items(deleted, content=iter([beginning])))
    except APIError:  # The beginning ends before the message.
        return ""


def _record(request: HttpRequest, conversation_ids: list[str], *, query: str = "") -> None:
    """Store one record, of the conversation or of the number of several."""
    is_single = len(conversation_ids) == 1
    AccessRecord.objects.record(
        user=request.user,
        action=AccessRecord.Action.READ,
        conversation_id=conversation_ids[0] if is_single else "",
        query=query,
        conversation_count=None if is_single else len(conversation_ids),
    )
