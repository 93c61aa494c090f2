"""A session of OpenAI's Agents SDK that stores the items of runs through the models, without HTTP.

It needs the package `openai-agents`. Nothing else of this app imports it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from agents.items import TResponseInputItem
from agents.memory import SessionSettings
from agents.memory.session_settings import resolve_session_limit
from asgiref.sync import sync_to_async
from django.db import router, transaction

from conversations import ids
from conversations.db.retry import retry_on_conflict
from conversations.models import Conversation
from conversations.owned_conversations import VisibleConversations
from conversations.schema.items import is_item_id, item_id_prefix
from conversations.schema.model_input import build_input, without_id
from conversations.validation import clean_end_user, clean_metadata

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


class ConversationSession:
    """The history of an agent's runs, stored in one conversation of a user. It implements the SDK's `Session`.

    `session_id` is the conversation's id. Without `conversation_id`, a new conversation with this `metadata` is stored
    together with the first items. `end_user` narrows the user's conversations to those of one end user. The methods
    raise `APIError` if `user` does not see the conversation `conversation_id`, as the API does.

    Items are validated as by the API, except that an append may have any number of them. They get new ids, because
    models of other providers number their ids from 1. Of `session_settings`, `limit` is the number of items that
    `get_items` returns without a limit of its own.
    """

    _ignore_ids_for_matching = True  # The SDK then compares items without their ids.

    def __init__(
        self,
        user: AbstractBaseUser,
        *,
        conversation_id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        end_user: str | None = None,
        session_settings: SessionSettings | None = None,
    ) -> None:
        if conversation_id is not None and metadata is not None:
            raise TypeError("metadata is for a new conversation. Use replace_metadata() to change an existing one.")
        self.user = user
        self.end_user = clean_end_user(end_user)
        self.session_id = conversation_id or ids.new_conversation_id()
        self.session_settings: SessionSettings | None = session_settings or SessionSettings()
        self._metadata = clean_metadata(metadata or {})
        self._is_stored = conversation_id is not None
        self._lock = asyncio.Lock()

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Return the last `limit` items, or all of them, in order, as the input of a model call.

        See `Conversation.as_input`: items have no ids, and reasoning that is not encrypted is left out.
        """
        items = await sync_to_async(self._get_items)(resolve_session_limit(limit, self.session_settings))
        return cast("list[TResponseInputItem]", items)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Append all items or none."""
        if items:
            async with self._lock:
                await sync_to_async(self._add_items)([_prepare(cast("dict[str, Any]", item)) for item in items])

    async def pop_item(self) -> TResponseInputItem | None:
        """Delete the last item, and return it without its id, or return None if there are no items."""
        async with self._lock:
            item = await sync_to_async(self._pop_item)()
        return cast("TResponseInputItem | None", item)

    async def clear_session(self) -> None:
        """Delete all items. The conversation stays, with its id and its metadata."""
        async with self._lock:
            await sync_to_async(self._delete_items)()

    def _conversation(self) -> Conversation | None:
        """Return the conversation from the primary database, or None if it is not stored yet."""
        if not self._is_stored:
            return None
        conversations = Conversation.objects.using(router.db_for_write(Conversation))
        visible = conversations.visible_to(self.user, end_user=self.end_user)
        return VisibleConversations(visible, user=self.user).get(self.session_id)

    def _get_items(self, limit: int | None) -> list[dict[str, Any]]:
        conversation = self._conversation()
        if conversation is None:
            return []
        if limit is None:
            return conversation.as_input()
        items = conversation.items.using(conversation.write_alias).order_by("-position")
        return build_input(reversed(items.values_list("data", flat=True)[: max(limit, 0)]))

    def _add_items(self, items: list[dict[str, Any]]) -> None:
        conversation = self._conversation()
        if conversation is not None:
            conversation.add_items(items, user=self.user)
            return
        Conversation.objects.create_with_items(
            owner=self.user,
            metadata=self._metadata,
            items=items,
            end_user=self.end_user,
            conversation_id=self.session_id,
        )
        self._is_stored = True

    @retry_on_conflict
    def _pop_item(self) -> dict[str, Any] | None:
        conversation = self._conversation()
        if conversation is None:
            return None
        with transaction.atomic(using=conversation.write_alias):
            conversation.lock()
            last = conversation.items.using(conversation.write_alias).last()
            if last is None:
                return None
            conversation.delete_item(last.item_id)
        return without_id(last.data)

    def _delete_items(self) -> None:
        conversation = self._conversation()
        if conversation is not None:
            conversation.rewind(after=None)


def _prepare(item: dict[str, Any]) -> dict[str, Any]:
    """Return the item without the SDK's own member, and with an id only if other items refer to it by the id."""
    item = {"type": "message"} | {name: value for name, value in item.items() if name != "provider_data"}
    if item["type"] == "item_reference":
        return item
    if item["type"] == "reasoning":  # The API requires an id of reasoning that is not encrypted.
        return {**item, "id": ids.new_id(item_id_prefix("reasoning"))}
    if not is_item_id(item.get("id"), item_type=item["type"]):  # The SDK numbers some items by itself.
        item.pop("id", None)
    return without_id(item)
