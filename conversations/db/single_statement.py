"""Create a conversation, or append items, in a single PostgreSQL statement: one round trip.

`conversations.models.writer` chooses between these functions and the ORM, which takes five or six round trips with the
same result: `tests/models/test_writer.py` compares the two. Protocols describe the rows, because `db` has no models.
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
from conversations.db.request_keys.pending_record import PendingRecord


class ConversationRow(Protocol):
    """The fields of a conversation that the statements read and set."""

    pk: Any
    owner_id: Any
    created_at: datetime
    metadata: Any
    end_user: Any
    item_count: int
    last_position: int
    last_item_at: datetime | None
    call_balance: int


class ItemRow(Protocol):
    """The fields of an item that the statements read and set."""

    pk: Any
    position: int
    item_id: str
    type: str
    call_id: str
    data: Any
    created_at: datetime
    tool: str
    status: str


class ItemTextRow(Protocol):
    """The fields of an item's row in the full-text index."""

    position: int
    words: str


# A statement is the concatenation of these: one of the first two, then the INSERTs that it needs, then a SELECT.
# PostgreSQL executes every INSERT of a WITH clause, even if the SELECT does not read from it.

_INSERT_CONVERSATION = """
WITH conversation AS (
    INSERT INTO conversations_conversation
        (id, owner_id, created_at, metadata, end_user, item_count, last_position, last_item_at, call_balance)
    SELECT %(id)s, %(owner)s, %(now)s, %(metadata)s, %(end_user)s, %(count)s, %(count)s, %(last_item_at)s,
        %(balance)s
    WHERE {condition}
    RETURNING item_count, last_position, last_item_at, call_balance
)"""

_UPDATE_COUNTERS = """
WITH conversation AS (
    UPDATE conversations_conversation
    SET item_count = item_count + %(count)s, last_position = last_position + %(count)s,
        last_item_at = GREATEST(last_item_at, %(now)s), call_balance = call_balance + %(balance)s
    WHERE id = %(id)s AND owner_id = %(owner)s AND {condition}
    RETURNING item_count, last_position, last_item_at, call_balance
)"""

_INSERT_PAIRS = """, pair AS (
    INSERT INTO conversations_metadatapair (conversation_id, owner_id, key, value)
    SELECT %(id)s, %(owner)s, new.key, new.value
    FROM conversation, json_each_text(%(metadata)s::json) AS new (key, value)
)"""

# In the next two, `conversation.last_position` already counts the new items, so `conversation.last_position - count` is
# the position that the first of them follows.
#
# A parameter with a value per row is one text, with a line for each row. That is quicker to write and to parse than an
# array, and safe because no value has a line break: ids, item types and words never do, and orjson escapes it in JSON.
# Call ids and names of tools may have one, because a client chooses them freely, so they are JSON.

_INSERT_ITEMS = """, item AS (
    INSERT INTO conversations_item (conversation_id, position, item_id, type, data, created_at, call_id{columns})
    SELECT
        %(id)s, conversation.last_position - %(count)s + new.number, new.id, new.type, new.data::json,
        %(now)s, {values}
    FROM conversation, {rows} WITH ORDINALITY AS new (id, type, data{names}, number)
    RETURNING id, position
)"""
_LINES = """unnest(
        string_to_array(%(item_ids)s, E'\\n'), string_to_array(%(types)s, E'\\n'), string_to_array(%(data)s, E'\\n')
    )"""
# For messages and other items that are no calls, answer none and report no failure.
_INSERT_PLAIN_ITEMS = _INSERT_ITEMS.format(columns="", values="''", rows=_LINES, names="")
_INSERT_CALLS = _INSERT_ITEMS.format(
    columns=", tool, status",
    values="new.call_id, new.tool, new.status",
    rows=f"ROWS FROM ({_LINES}, json_to_recordset(%(calls)s::json) AS (call_id text, tool text, status text))",
    names=", call_id, tool, status",
)

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

_SELECT_ITEMS = "\nSELECT item.id, item.position FROM item ORDER BY item.position"

# The time is NULL if it is the one of these items, because the driver takes longer to read it than the other values.
_SELECT_ITEMS_AND_COUNTERS = """
SELECT item.id, item.position, conversation.item_count, conversation.call_balance,
    NULLIF(conversation.last_item_at, %(now)s)
FROM conversation, item ORDER BY item.position"""

_SELECT_ONE_ROW = "\nSELECT 1 FROM conversation"

# Nothing is stored while a parallel transaction holds the lock of the same Idempotency-Key. A row of a conversation is
# locked after its conditions were checked, so that the statement does not wait for it (see `db.request_keys.key_lock`).
_HAS_KEY_LOCK = "pg_try_advisory_xact_lock(%(record_lock)s)"


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
    record: PendingRecord | None = None,
    *,
    using: str,
) -> bool:
    """Insert the conversation, its metadata index and its items, whose positions count from 1, and the record.

    The conversation has its final counters already. Return False if the key of the record is locked.
    """
    sql, lock = _lock_key(_INSERT_CONVERSATION, record, using=using)
    parameters = {
        "now": conversation.created_at,
        "metadata": orjson.dumps(conversation.metadata).decode(),
        "end_user": conversation.end_user,
        "last_item_at": conversation.last_item_at,
        "balance": conversation.call_balance,
        **lock,
    }
    if conversation.metadata:
        sql += _INSERT_PAIRS
    if record:
        sql += _INSERT_RECORD
        parameters |= _record_parameters(record, item_count=0)
    select = _SELECT_ITEMS if items else _SELECT_ONE_ROW
    rows = _store(sql, parameters, conversation, items, texts, select=select, using=using)
    if rows:
        _mark_saved(conversation, using)
    return bool(rows)


def append(
    conversation: ConversationRow,
    items: Sequence[ItemRow],
    texts: Sequence[ItemTextRow],
    record: PendingRecord | None = None,
    *,
    balance: int = 0,
    using: str,
) -> bool:
    """Insert the items after the last position, and update the counters of the conversation and of this instance of it.

    `balance` is what the items add to the conversation's `call_balance`. The record is inserted too.
    The positions of `items` and `texts` count from 1; the stored ones are set on `items`. All items have the same time.
    Return False if the owner has no such conversation, or the key of the record is locked.
    """
    sql, lock = _lock_key(_UPDATE_COUNTERS, record, using=using)
    parameters: dict[str, Any] = {"now": items[0].created_at, "balance": balance, **lock}
    if record:
        sql += _INSERT_RECORD
        parameters |= _record_parameters(record, item_count=len(items))
    rows = _store(sql, parameters, conversation, items, texts, select=_SELECT_ITEMS_AND_COUNTERS, using=using)
    if not rows:
        return False
    _, conversation.last_position, *counters = rows[-1]
    conversation.item_count, conversation.call_balance, later = counters
    conversation.last_item_at = later or items[0].created_at
    return True


def _lock_key(sql: str, record: PendingRecord | None, *, using: str) -> tuple[str, dict[str, Any]]:
    """Return the statement that stores nothing while the key of the record is locked, and its parameter."""
    number = record.lock_number(using=using) if record else None
    if number is None:
        return sql.format(condition="true"), {}
    return sql.format(condition=_HAS_KEY_LOCK), {"record_lock": number}


def _record_parameters(record: PendingRecord, *, item_count: int) -> dict[str, Any]:
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
    select: str,
    using: str,
) -> list[tuple[Any, ...]]:
    """Complete the statement that begins with `sql` by the items, the texts and `select`, and execute it.

    Return its rows, of which there are none if nothing was stored.
    """
    parameters |= {"id": conversation.pk, "owner": conversation.owner_id, "count": len(items)}
    if texts:
        sql += _INSERT_TEXTS
        parameters |= {
            "numbers": "\n".join(str(text.position) for text in texts),
            "words": "\n".join(text.words for text in texts),
        }
    if items:
        are_plain = not any(item.call_id or item.tool or item.status for item in items)
        sql += _INSERT_PLAIN_ITEMS if are_plain else _INSERT_CALLS
        parameters |= {
            "item_ids": "\n".join(item.item_id for item in items),
            "types": "\n".join(item.type for item in items),
            "data": b"\n".join(orjson.dumps(item.data) for item in items).decode(),
        }
        if not are_plain:
            calls = [{"call_id": item.call_id, "tool": item.tool, "status": item.status} for item in items]
            parameters["calls"] = orjson.dumps(calls).decode()
    sql += select
    connection = connections[using]
    # Within a transaction the statement gets a savepoint, so that the caller can go on after a failure. Outside of one
    # it needs none: a single statement is stored as a whole or not at all.
    with transaction.atomic(using=using) if connection.in_atomic_block else nullcontext():
        rows = fetch_rows(sql, parameters, connection=connection)
    for item, (pk, position, *_) in zip(items, rows, strict=False):
        item.pk, item.position = pk, position
        _mark_saved(item, using)
    return rows


def _mark_saved(instance: Any, using: str) -> None:
    instance._state.adding = False
    instance._state.db = using
