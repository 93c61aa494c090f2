"""PostgreSQL stores a conversation with all that belongs to it, or an append, in one statement: one way there and back.

The methods of `Conversation` say what these have to do, by what they do in several on other databases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connections, transaction
from django.db.models import Model
from django.db.models.signals import post_save, pre_save

from conversations import errors
from conversations.db.prepared_cursor import fetch_rows

if TYPE_CHECKING:
    from conversations.models.conversation import Conversation
    from conversations.models.item import Item
    from conversations.search.item_text import ItemText

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


def create(conversation: Conversation, items: Sequence[Item], texts: Sequence[ItemText], *, using: str) -> None:
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


def append(conversation: Conversation, items: Sequence[Item], texts: Sequence[ItemText], *, using: str) -> None:
    """Positions likewise, until they are stored. Raises an error where the owner has no such conversation."""
    if not _store(_COUNTERS, {"now": items[0].created_at}, conversation, items, texts, using=using):
        raise errors.conversation_not_found(conversation.pk)
    conversation.last_position, conversation.last_item_at = items[-1].position, items[-1].created_at


def _store(
    sql: str,
    parameters: dict[str, Any],
    conversation: Conversation,
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


def _mark_stored(instance: Model, using: str) -> None:
    instance._state.adding = False
    instance._state.db = using
