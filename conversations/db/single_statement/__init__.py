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
from conversations.db.single_statement import sql_parts


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
    sql = _with_condition(sql_parts.INSERT_CONVERSATION, record)
    parameters = {
        "now": conversation.created_at,
        "metadata": orjson.dumps(conversation.metadata).decode(),
        "end_user": conversation.end_user,
        "last_item_at": conversation.last_item_at,
        "balance": conversation.call_balance,
    }
    if conversation.metadata:
        sql += sql_parts.INSERT_PAIRS
    if record:
        sql += sql_parts.INSERT_RECORD
        parameters |= _record_parameters(record, item_count=0)
    select = sql_parts.SELECT_ITEMS if items else sql_parts.SELECT_ONE_ROW
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
    sql = _with_condition(sql_parts.UPDATE_COUNTERS, record)
    parameters: dict[str, Any] = {"now": items[0].created_at, "balance": balance}
    if record:
        sql += sql_parts.INSERT_RECORD
        parameters |= _record_parameters(record, item_count=len(items))
    rows = _store(sql, parameters, conversation, items, texts, select=sql_parts.SELECT_ITEMS_AND_COUNTERS, using=using)
    if not rows:
        return False
    _, conversation.last_position, *counters = rows[-1]
    conversation.item_count, conversation.call_balance, later = counters
    conversation.last_item_at = later or items[0].created_at
    return True


def _with_condition(sql: str, record: PendingRecord | None) -> str:
    """Complete the first part of a statement, which stores nothing while the key of the record is locked."""
    return sql.format(condition=sql_parts.HAS_KEY_LOCK if record and record.has_key else "true")


def _record_parameters(record: PendingRecord, *, item_count: int) -> dict[str, Any]:
    """Return the parameters of a record whose answer shows the last `item_count` items."""
    return {
        "record_key": record.key,
        "record_number": record.number,
        "record_fingerprint": record.fingerprint,
        "record_retry_count": record.retry_count,
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
    if len(items) == 1:
        sql += _add_item(items[0], texts, parameters)
    elif items:
        sql += _add_items(items, texts, parameters)
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


def _add_item(item: ItemRow, texts: Sequence[ItemTextRow], parameters: dict[str, Any]) -> str:
    """Add the parameters of a single item, and return the parts of the statement that insert it."""
    parameters |= {
        "item_id": item.item_id,
        "type": item.type,
        "data": orjson.dumps(item.data).decode(),
        "call_id": item.call_id,
        "tool": item.tool,
        "status": item.status,
    }
    if not texts:
        return sql_parts.INSERT_ITEM
    parameters["words"] = texts[0].words
    return sql_parts.INSERT_TEXT + sql_parts.INSERT_ITEM


def _add_items(items: Sequence[ItemRow], texts: Sequence[ItemTextRow], parameters: dict[str, Any]) -> str:
    """Do what `_add_item` does for several items."""
    parameters |= {
        "item_ids": "\n".join(item.item_id for item in items),
        "types": "\n".join(item.type for item in items),
        "data": b"\n".join(orjson.dumps(item.data) for item in items).decode(),
    }
    sql = sql_parts.INSERT_PLAIN_ITEMS
    if any(item.call_id or item.tool or item.status for item in items):
        calls = [{"call_id": item.call_id, "tool": item.tool, "status": item.status} for item in items]
        parameters["calls"] = orjson.dumps(calls).decode()
        sql = sql_parts.INSERT_CALLS
    if not texts:
        return sql
    parameters |= {
        "numbers": "\n".join(str(text.position) for text in texts),
        "words": "\n".join(text.words for text in texts),
    }
    return sql_parts.INSERT_TEXTS + sql


def _mark_saved(instance: Any, using: str) -> None:
    instance._state.adding = False
    instance._state.db = using
