"""Create a conversation, or append items, in a single PostgreSQL statement: one round trip.

`conversations.models.writer` chooses between this form and that of the ORM, which takes five or six round trips with
the same result: `tests/models/test_writer.py` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Protocol

import orjson
from django.db import connections, transaction
from django.db.models.signals import post_save, pre_save

from conversations.db.prepared_cursor import fetch_rows


class ConversationRow(Protocol):
    """The fields of a conversation that the statements read and set."""

    pk: Any
    owner_id: Any
    created_at: datetime
    metadata: Any
    item_count: int
    last_position: int
    last_item_at: datetime | None


class ItemRow(Protocol):
    """The fields of an item that the statements read and set."""

    pk: Any
    position: int
    item_id: str
    type: str
    data: Any
    created_at: datetime


class ItemTextRow(Protocol):
    """The fields of an item's row in the full-text index."""

    position: int
    words: str


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

# Lists are sent as text with one element per line: quicker to write and to parse than arrays. Neither ids, types and
# words nor the compact JSON of orjson contain a line break.

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


def can_create(model: type[Any], items: Sequence[Mapping[str, Any]], *, using: str) -> bool:
    """Whether one statement can create the conversation.

    False if pre_save or post_save receivers are connected, because raw SQL sends no signals.
    """
    has_receivers = pre_save.has_listeners(model) or post_save.has_listeners(model)
    return connections[using].vendor == "postgresql" and not has_receivers and not _has_ids(items)


def can_append(items: Sequence[Mapping[str, Any]], *, using: str) -> bool:
    """Whether one statement can append the items."""
    is_any_stored = any(item["type"] != "compaction_trigger" for item in items)
    return connections[using].vendor == "postgresql" and is_any_stored and not _has_ids(items)


def _has_ids(items: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an item was sent with an id, which has to be looked up before anything is stored."""
    return any(item.get("id") for item in items)


def create(
    conversation: ConversationRow, items: Sequence[ItemRow], texts: Sequence[ItemTextRow], *, using: str
) -> None:
    """Insert the conversation, its metadata index and its items, whose positions count from 1."""
    sql = _CONVERSATION
    parameters = {
        "now": conversation.created_at,
        "metadata": orjson.dumps(conversation.metadata).decode(),
        "last_item_at": conversation.last_item_at,
    }
    if conversation.metadata:
        sql += _PAIRS
    _store(sql, parameters, conversation, items, texts, using=using)
    _mark_saved(conversation, using)


def append(
    conversation: ConversationRow, items: Sequence[ItemRow], texts: Sequence[ItemTextRow], *, using: str
) -> bool:
    """Insert the items behind the last position. Return False if the owner has no such conversation.

    The positions of `items` and `texts` count from 1; the statement sets the real ones.
    """
    if not _store(_COUNTERS, {"now": items[0].created_at}, conversation, items, texts, using=using):
        return False
    conversation.last_position, conversation.last_item_at = items[-1].position, items[-1].created_at
    return True


def _store(
    sql: str,
    parameters: dict[str, Any],
    conversation: ConversationRow,
    items: Sequence[ItemRow],
    texts: Sequence[ItemTextRow],
    *,
    using: str,
) -> bool:
    """Execute the statement that begins with `sql`, and return whether it returned rows."""
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
    # Within a transaction the statement gets a savepoint, so that the caller can go on after a failure.
    with transaction.atomic(using=using) if connection.in_atomic_block else nullcontext():
        rows = fetch_rows(sql + (_STORED if items else _CREATED), parameters, connection=connection)
    for item, (pk, position, item_count) in zip(items, rows, strict=False):
        item.pk, item.position, conversation.item_count = pk, position, item_count
        _mark_saved(item, using)
    return bool(rows)


def _mark_saved(instance: Any, using: str) -> None:
    instance._state.adding = False
    instance._state.db = using
