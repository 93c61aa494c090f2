"""Reading the items of a conversation: each function checks the permission, records the access and returns the content.

Message content reaches a page of the admin only through this package: no other module of `conversations.admin` reads
items, previews or snippets, searches their text or exports them (see `tests/admin/content/test_boundary.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from conversations.models import AccessRecord, Conversation, Item, ItemQuerySet
from conversations.schema.json_limits import UNSTORABLE_CHARACTER


class ContentAdmin(Protocol):
    """A model admin of conversations, whose subclasses may restrict the permissions for single conversations."""

    def has_read_content_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool: ...

    def has_export_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool: ...


def read_items(model_admin: ContentAdmin, request: HttpRequest, conversation: Conversation) -> ItemQuerySet:
    """Return all items of the conversation. Raise `PermissionDenied` if the user may not read content."""
    _check_permission(model_admin, request, conversation)
    _record_reading(request, conversation)
    return conversation.items.all()


def read_item(
    model_admin: ContentAdmin, request: HttpRequest, conversation: Conversation, *, item_id: str
) -> Item | None:
    """Return one item of the conversation, or None, unrecorded, if there is no such item."""
    _check_permission(model_admin, request, conversation)
    is_storable = not UNSTORABLE_CHARACTER.search(item_id)  # PostgreSQL refuses to look for such a text
    item = conversation.items.filter(item_id=item_id).order_by("pk").first() if is_storable else None
    if item is not None:
        _record_reading(request, conversation)
    return item


def readable(
    model_admin: ContentAdmin, request: HttpRequest, conversations: Iterable[Conversation]
) -> list[Conversation]:
    """Return the conversations whose content the user may read."""
    return [row for row in conversations if model_admin.has_read_content_permission(request, row)]


def _record_reading(request: HttpRequest, conversation: Conversation) -> None:
    AccessRecord.objects.record(user=request.user, action=AccessRecord.Action.READ, conversation_id=conversation.pk)


def _check_permission(model_admin: ContentAdmin, request: HttpRequest, conversation: Conversation) -> None:
    if not model_admin.has_read_content_permission(request, conversation):
        raise PermissionDenied
