"""Create a conversation, or append items, in a single PostgreSQL statement: one round trip.

`conversations.models.writer` chooses between these functions and the ORM, which takes five or six round trips with the
same result: `tests/models/test_writer.py` compares the two.

The package `db` imports no model, so protocols describe the instances that the functions take.
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
    call_id: str
    data: Any
    created_at: datetime


class RequestRecordRow(Protocol):
    """The fields of a request's record that the statements read."""

    key: str
    number: int
    fingerprint: str
    retry_count: int
    created_at: datetime


class ItemTextRow(Protocol):
    """The fields of an item's row in the full-text index."""

    position: int
    words: str


# A statement is the concatenation of these: one of the first two, then the INSERTs that it needs, then a SELECT.
# PostgreSQL executes every INSERT of a WITH clause, even if the SELECT does not read from it.

_INSERT_CONVERSATION = """
WITH conversation AS (
    INSERT INTO conversations_conversation
        (id, owner_id, created_at, metadata, item_count, last_position, last_item_at)
    VALUES (%(id)s, %(owner)s, %(now)s, %(metadata)s, %(count)s, %(count)s, %(last_item_at)s)
    RETURNING item_count, last_position, last_item_at
)"""

_UPDATE_COUNTERS = """
WITH conversation AS (
    UPDATE conversations_conversation
    SET item_count = item_count + %(count)s, last_position = last_position + %(count)s,
        last_item_at = GREATEST(last_item_at, %(now)s)
    WHERE id = %(id)s AND owner_id = %(owner)s
    RETURNING item_count, last_position, last_item_at
)"""

_INSERT_PAIRS = """, pair AS (
    INSERT INTO conversations_metadatapair (conversation_id, owner_id, key, value)
    SELECT %(id)s, %(owner)s, new.key, new.value
    FROM json_each_text(%(metadata)s::json) AS new (key, value)
)"""

# In the next two, `conversation.last_position` already counts the new items, so `conversation.last_position - count` is
# the position that the first of them follows.
#
# A parameter with a value per row is one text, with a line for each row. That is quicker to write and to parse than an
# array, and safe because no value has a line break: ids, item types and words never do, and orjson escapes it in JSON.
# Call ids may have one, because a client chooses them freely, so they are an array in JSON.

_INSERT_ITEMS = """, item AS (
    INSERT INTO conversations_item (conversation_id, position, item_id, type, call_id, data, created_at)
    SELECT
        %(id)s, conversation.last_position - %(count)s + new.number, new.id, new.type, new.call_id, new.data::json,
        %(now)s
    FROM conversation, ROWS FROM (
        unnest(
            string_to_array(%(item_ids)s, E'\\n'), string_to_array(%(types)s, E'\\n'), string_to_array(%(data)s, E'\\n')
        ),
        json_array_elements_text(%(call_ids)s::json)
    ) WITH ORDINALITY AS new (id, type, data, call_id, number)
    RETURNING id, position
)"""

_INSERT_TEXTS = """, text AS (
    INSERT INTO conversations_itemtext (conversation_id, position, words)
    SELECT %(id)s, conversation.last_position - %(count)s + new.number, new.words
    FROM conversation, unnest(
        string_to_array(%(numbers)s, E'\\n')::int[], string_to_array(%(words)s, E'\\n')
    ) AS new (number, words)
)"""

_INSERT_RECORD = """, record AS (
    INSERT INTO conversations_requestrecord
        (key, number, fingerprint, retry_count, created_at, conversation_id, last_position, item_count)
    SELECT %(record_key)s, %(record_number)s, %(record_fingerprint)s, %(record_retry_count)s, %(record_created_at)s,
        %(id)s, conversation.last_position, %(record_item_count)s
    FROM conversation
)"""

_SELECT_ITEMS = """
SELECT item.id, item.position, conversation.item_count, conversation.last_item_at
FROM conversation, item ORDER BY item.position"""

_SELECT_ONE_ROW = """
SELECT 1"""


def can_create(model: type[Any], items: Sequence[Mapping[str, Any]], *, using: str) -> bool:
    """Whether a single statement can create a conversation of this model with these items.

    False if pre_save or post_save receivers are connected, because raw SQL sends no signals.
    """
    has_receivers = pre_save.has_listeners(model) or post_save.has_listeners(model)
    return connections[using].vendor == "postgresql" and not has_receivers and not _has_ids(items)


def can_append(items: Sequence[Mapping[str, Any]], *, using: str) -> bool:
    """Whether a single statement can append the items. Appending sends no signals in either form.

    False if there is nothing to store, because `append` recognizes an unknown conversation by the lack of stored items.
    """
    # The writer accepts compaction triggers without storing them.
    is_any_stored = any(item["type"] != "compaction_trigger" for item in items)
    return connections[using].vendor == "postgresql" and is_any_stored and not _has_ids(items)


def _has_ids(items: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an item was sent with an id.

    The writer then has to look for the id in the stored items first, in the same transaction.
    """
    return any(item.get("id") for item in items)


def create(
    conversation: ConversationRow,
    items: Sequence[ItemRow],
    texts: Sequence[ItemTextRow],
    record: RequestRecordRow | None = None,
    *,
    using: str,
) -> None:
    """Insert the conversation, its metadata index and its items, whose positions count from 1, and the record.

    The conversation has its final counters already.
    """
    sql = _INSERT_CONVERSATION
    parameters = {
        "now": conversation.created_at,
        "metadata": orjson.dumps(conversation.metadata).decode(),
        "last_item_at": conversation.last_item_at,
    }
    if conversation.metadata:
        sql += _INSERT_PAIRS
    if record:
        sql += _INSERT_RECORD
        parameters |= _record_parameters(record, item_count=0)
    _store(sql, parameters, conversation, items, texts, using=using)
    _mark_saved(conversation, using)


def append(
    conversation: ConversationRow,
    items: Sequence[ItemRow],
    texts: Sequence[ItemTextRow],
    record: RequestRecordRow | None = None,
    *,
    using: str,
) -> bool:
    """Insert the items after the last position, and update the counters of the conversation and of this instance of it.

    The record is inserted too.

    The positions of `items` and `texts` count from 1; the stored ones are set on `items`. All items have the same time.
    Return False if the owner has no such conversation.
    """
    sql, parameters = _UPDATE_COUNTERS, {"now": items[0].created_at}
    if record:
        sql += _INSERT_RECORD
        parameters |= _record_parameters(record, item_count=len(items))
    if not _store(sql, parameters, conversation, items, texts, using=using):
        return False
    conversation.last_position = items[-1].position
    return True


def _record_parameters(record: RequestRecordRow, *, item_count: int) -> dict[str, Any]:
    """Return the parameters of a record whose answer shows the last `item_count` items."""
    return {
        "record_key": record.key,
        "record_number": record.number,
        "record_fingerprint": record.fingerprint,
        "record_retry_count": record.retry_count,
        "record_created_at": record.created_at,
        "record_item_count": item_count,
    }


def _store(
    sql: str,
    parameters: dict[str, Any],
    conversation: ConversationRow,
    items: Sequence[ItemRow],
    texts: Sequence[ItemTextRow],
    *,
    using: str,
) -> bool:
    """Complete the statement that begins with `sql` by the items and texts, and execute it.

    Return False if nothing was stored, because there is no conversation to append to.
    """
    parameters |= {"id": conversation.pk, "owner": conversation.owner_id, "count": len(items)}
    if texts:
        sql += _INSERT_TEXTS
        parameters |= {
            "numbers": "\n".join(str(text.position) for text in texts),
            "words": "\n".join(text.words for text in texts),
        }
    if items:
        sql += _INSERT_ITEMS
        parameters |= {
            "item_ids": "\n".join(item.item_id for item in items),
            "types": "\n".join(item.type for item in items),
            "call_ids": orjson.dumps([item.call_id for item in items]).decode(),
            "data": b"\n".join(orjson.dumps(item.data) for item in items).decode(),
        }
    sql += _SELECT_ITEMS if items else _SELECT_ONE_ROW
    connection = connections[using]
    # Within a transaction the statement gets a savepoint, so that the caller can go on after a failure. Outside of one
    # it needs none: a single statement is stored as a whole or not at all.
    with transaction.atomic(using=using) if connection.in_atomic_block else nullcontext():
        rows = fetch_rows(sql, parameters, connection=connection)
    # An unknown conversation has no rows. Without items, the only row is that of `_SELECT_ONE_ROW`.
    for item, (pk, position, item_count, last_item_at) in zip(items, rows, strict=False):
        item.pk, item.position = pk, position
        conversation.item_count, conversation.last_item_at = item_count, last_item_at
        _mark_saved(item, using)
    return bool(rows)


def _mark_saved(instance: Any, using: str) -> None:
    instance._state.adding = False
    instance._state.db = using
