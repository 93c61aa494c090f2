"""PostgreSQL stores a conversation with all that belongs to it, or an append, in one statement: one way there and back.

The methods of `Conversation` say what these have to do, by what they do in several on other databases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Protocol

import orjson
from django.db import connections, transaction
from django.db.models import Model
from django.db.models.signals import post_save, pre_save

from conversations import errors, ids
from conversations.db.prepared_cursor import fetch_rows
from conversations.models.item import Item
from conversations.schema.items import item_id_prefix
from conversations.search.item_text import ItemText


class WritableConversation(Protocol):
    """What the writer reads and sets of a conversation."""

    pk: Any
    owner_id: Any
    created_at: datetime
    metadata: Any
    item_count: int
    last_position: int
    last_item_at: datetime | None

    @property
    def items(self) -> Any: ...


_CONVERSATION = """
WITH conversation AS (
    INSERT INTO conversations_conversation
        (id, owner_id, created_at, metadata, item_count, last_position, last_item_at)
    VALUES (%(id)s, %(owner)s, %(now)s, %(metadata)s, %(count)s, %(count)s, %(last_item_at)s)
    RETURNING item_count, last_position
)"""

_COUNTERS = """
WITH conversation AS (
    UPDATE conversations_conversation
    SET item_count = item_count + %(count)s, last_position = last_position + %(count)s, last_item_at = %(now)s
    WHERE id = %(id)s AND owner_id = %(owner)s
    RETURNING item_count, last_position
)"""

_PAIRS = """, pair AS (
    INSERT INTO conversations_metadatapair (conversation_id, owner_id, key, value)
    SELECT %(id)s, %(owner)s, new.key, new.value
    FROM json_each_text(%(metadata)s::json) AS new (key, value)
)"""

# Lists come as lines, which take less time to write and to read than arrays. No JSON of ours has lines.

_ITEMS = """, item AS (
    INSERT INTO conversations_item (conversation_id, position, item_id, type, data, created_at)
    SELECT %(id)s, conversation.last_position - %(count)s + new.number, new.id, new.type, new.data::json, %(now)s
    FROM conversation, unnest(
        string_to_array(%(item_ids)s, E'\\n'), string_to_array(%(types)s, E'\\n'), string_to_array(%(data)s, E'\\n')
    ) WITH ORDINALITY AS new (id, type, data, number)
    RETURNING id, position
)"""

_TEXTS = """, text AS (
    INSERT INTO conversations_itemtext (conversation_id, position, words)
    SELECT %(id)s, conversation.last_position - %(count)s + new.number, new.words
    FROM conversation, unnest(
        string_to_array(%(numbers)s, E'\\n')::int[], string_to_array(%(words)s, E'\\n')
    ) AS new (number, words)
)"""

_STORED = """
SELECT item.id, item.position, conversation.item_count FROM conversation, item ORDER BY item.position"""

_CREATED = """
SELECT 1"""


def can_create(model: type[Model], items: Sequence[Mapping[str, Any]], *, using: str) -> bool:
    """Not where a host listens to what is saved: no statement tells of that."""
    is_listened_to = pre_save.has_listeners(model) or post_save.has_listeners(model)
    return connections[using].vendor == "postgresql" and not is_listened_to and not _have_ids(items)


def can_append(items: Sequence[Mapping[str, Any]], *, using: str) -> bool:
    is_any_stored = any(item["type"] != "compaction_trigger" for item in items)
    return connections[using].vendor == "postgresql" and is_any_stored and not _have_ids(items)


def _have_ids(items: Sequence[Mapping[str, Any]]) -> bool:
    """Such as have to be looked for first."""
    return any(item.get("id") for item in items)


def first_items(conversation: WritableConversation, items: Sequence[Mapping[str, Any]]) -> list[Item]:
    """Build the first items of a new conversation, and set its counters."""
    rows = new_items(conversation, items, first_position=1, now=conversation.created_at)
    if rows:
        conversation.item_count = conversation.last_position = len(rows)
        conversation.last_item_at = conversation.created_at
    return rows


def new_items(
    conversation: WritableConversation, items: Sequence[Mapping[str, Any]], *, first_position: int, now: datetime
) -> list[Item]:
    """Build items at consecutive positions, unsaved. An id that the owner has elsewhere brings its content along."""
    stored = [item for item in items if item["type"] != "compaction_trigger"]
    sent_ids = [item["id"] for item in stored if item.get("id")]
    originals = Item.objects.originals(owner_id=conversation.owner_id, item_ids=sent_ids) if sent_ids else {}
    for item in stored:
        if item["type"] == "item_reference" and item["id"] not in originals:
            raise errors.referenced_item_not_found(item["id"])
    if sent_ids and (len(set(sent_ids)) < len(sent_ids) or conversation.items.has_any(sent_ids)):
        raise errors.item_already_in_conversation()
    return [
        Item.build(conversation, position=position, data=_data(item, originals), created_at=now)
        for position, item in enumerate(stored, start=first_position)
    ]


def _data(item: Mapping[str, Any], originals: Mapping[str, Item]) -> dict[str, Any]:
    item_id = item.get("id") or ids.new_id(item_id_prefix(item["type"]))
    if item_id in originals:
        data: dict[str, Any] = originals[item_id].data
        return data
    return {"id": item_id, **{name: value for name, value in item.items() if name != "id"}}


def create(conversation: WritableConversation, items: Sequence[Item], texts: Sequence[ItemText], *, using: str) -> None:
    """The positions of items and texts count from 1."""
    sql = _CONVERSATION
    parameters = {
        "now": conversation.created_at,
        "metadata": orjson.dumps(conversation.metadata).decode(),
        "last_item_at": conversation.last_item_at,
    }
    if conversation.metadata:
        sql += _PAIRS
    _store(sql, parameters, conversation, items, texts, using=using)
    _mark_stored(conversation, using)


def append(conversation: WritableConversation, items: Sequence[Item], texts: Sequence[ItemText], *, using: str) -> None:
    """Positions likewise, until they are stored. Raises an error where the owner has no such conversation."""
    if not _store(_COUNTERS, {"now": items[0].created_at}, conversation, items, texts, using=using):
        raise errors.conversation_not_found(conversation.pk)
    conversation.last_position, conversation.last_item_at = items[-1].position, items[-1].created_at


def _store(
    sql: str,
    parameters: dict[str, Any],
    conversation: WritableConversation,
    items: Sequence[Item],
    texts: Sequence[ItemText],
    *,
    using: str,
) -> bool:
    parameters |= {"id": conversation.pk, "owner": conversation.owner_id, "count": len(items)}
    if texts:
        sql += _TEXTS
        parameters |= {
            "numbers": "\n".join(str(text.position) for text in texts),
            "words": "\n".join(text.words for text in texts),
        }
    if items:
        sql += _ITEMS
        parameters |= {
            "item_ids": "\n".join(item.item_id for item in items),
            "types": "\n".join(item.type for item in items),
            "data": b"\n".join(orjson.dumps(item.data) for item in items).decode(),
        }
    connection = connections[using]
    is_part = connection.in_atomic_block  # of a transaction that may go on after a failure here
    with transaction.atomic(using=using) if is_part else nullcontext():
        stored = fetch_rows(sql + (_STORED if items else _CREATED), parameters, connection=connection)
    for item, (pk, position, item_count) in zip(items, stored, strict=False):
        item.pk, item.position, conversation.item_count = pk, position, item_count
        _mark_stored(item, using)
    return bool(stored)


def _mark_stored(instance: Any, using: str) -> None:
    instance._state.adding = False
    instance._state.db = using
