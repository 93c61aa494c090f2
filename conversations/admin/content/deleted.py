"""Reading the items of a conversation in the trash, with an access record for each page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from conversations.admin.content.previews import first_message_in
from conversations.models import AccessRecord, DeletedConversation, Item
from conversations.trash import read_deleted_items


@dataclass(frozen=True)
class DeletedPage:
    """Items of a deleted conversation, and the preview of its first message."""

    rows: list[Item]
    has_more: bool
    first_message: str


def read_deleted_page(
    model_admin: Any,
    request: HttpRequest,
    deleted: DeletedConversation,
    *,
    after: int,
    limit: int,
    max_bytes: int,
) -> DeletedPage:
    """Return at most `limit` items after a position.

    The page has one item at least, and else at most so many bytes of JSON. Raise `PermissionDenied` if the user may not
    read content, and an `APIError` if the copy can't be read.
    """
    if not model_admin.has_read_content_permission(request, deleted):
        raise PermissionDenied
    AccessRecord.objects.record(
        user=request.user, action=AccessRecord.Action.READ, conversation_id=deleted.conversation_id
    )
    title = first_message_in(item for _length, item in read_deleted_items(deleted))
    items: list[Item] = []
    size = 0
    for length, item in read_deleted_items(deleted, after=after):
        size += length
        if items and (len(items) == limit or size > max_bytes):
            return DeletedPage(items, has_more=True, first_message=title)
        items.append(item)
    return DeletedPage(items, has_more=False, first_message=title)
