"""The parts of a statement that creates a conversation or appends items.

A statement is the concatenation of `INSERT_CONVERSATION` or `UPDATE_COUNTERS`, the INSERTs that it needs, and a SELECT.
PostgreSQL executes every INSERT of a WITH clause, even if the SELECT does not read from it.
"""

from conversations.db.request_keys.key_lock import TRY_LOCK

INSERT_CONVERSATION = """
WITH conversation AS (
    INSERT INTO conversations_conversation
        (id, owner_id, created_at, metadata, end_user, item_count, last_position, last_item_at, call_balance)
    SELECT %(id)s, %(owner)s, %(now)s, %(metadata)s, %(end_user)s, %(count)s, %(count)s, %(last_item_at)s,
        %(balance)s
    WHERE {condition}
    RETURNING item_count, last_position, last_item_at, call_balance
)"""

UPDATE_COUNTERS = """
WITH conversation AS (
    UPDATE conversations_conversation
    SET item_count = item_count + %(count)s, last_position = last_position + %(count)s,
        last_item_at = GREATEST(last_item_at, %(now)s), call_balance = call_balance + %(balance)s
    WHERE id = %(id)s AND owner_id = %(owner)s AND {condition}
    RETURNING item_count, last_position, last_item_at, call_balance
)"""

INSERT_PAIRS = """, pair AS (
    INSERT INTO conversations_metadatapair (conversation_id, owner_id, key, value)
    SELECT %(id)s, %(owner)s, new.key, new.value
    FROM conversation, json_each_text(%(metadata)s::json) AS new (key, value)
)"""

# A single item is inserted from plain parameters.
INSERT_ITEM = """, item AS (
    INSERT INTO conversations_item
        (conversation_id, position, item_id, type, data, created_at, call_id, tool, status)
    SELECT
        %(id)s, conversation.last_position, %(item_id)s, %(type)s, %(data)s, %(now)s, %(call_id)s, %(tool)s, %(status)s
    FROM conversation
    RETURNING id, position
)"""
INSERT_TEXT = """, text AS (
    INSERT INTO conversations_itemtext (conversation_id, position, words)
    SELECT %(id)s, conversation.last_position, %(words)s
    FROM conversation
)"""

# In the next two, `conversation.last_position` already counts the new items, so `conversation.last_position - count` is
# the position that the first of them follows.
#
# A parameter with a value per row is one text, with a line for each row. That is quicker to write and to parse than an
# array, and safe because no value has a line break: ids, item types and words never do, and orjson escapes it in JSON.
# Call ids and names of tools may have one, because a client chooses them freely, so they are JSON.

INSERT_ITEMS = """, item AS (
    INSERT INTO conversations_item (conversation_id, position, item_id, type, data, created_at, call_id{columns})
    SELECT
        %(id)s, conversation.last_position - %(count)s + new.number, new.id, new.type, new.data::json,
        %(now)s, {values}
    FROM conversation, {rows} WITH ORDINALITY AS new (id, type, data{names}, number)
    RETURNING id, position
)"""
LINES = """unnest(
        string_to_array(%(item_ids)s, E'\\n'), string_to_array(%(types)s, E'\\n'), string_to_array(%(data)s, E'\\n')
    )"""
# For messages and other items that are no calls, answer none and report no failure.
INSERT_PLAIN_ITEMS = INSERT_ITEMS.format(columns="", values="''", rows=LINES, names="")
INSERT_CALLS = INSERT_ITEMS.format(
    columns=", tool, status",
    values="new.call_id, new.tool, new.status",
    rows=f"ROWS FROM ({LINES}, json_to_recordset(%(calls)s::json) AS (call_id text, tool text, status text))",
    names=", call_id, tool, status",
)

INSERT_TEXTS = """, text AS (
    INSERT INTO conversations_itemtext (conversation_id, position, words)
    SELECT %(id)s, conversation.last_position - %(count)s + new.number, new.words
    FROM conversation, unnest(
        string_to_array(%(numbers)s, E'\\n')::int[], string_to_array(%(words)s, E'\\n')
    ) AS new (number, words)
)"""

INSERT_RECORD = """, record AS (
    INSERT INTO conversations_requestrecord
        (key, number, fingerprint, retry_count, created_at, conversation_id, last_position, item_count)
    SELECT %(record_key)s, %(record_number)s, %(record_fingerprint)s, %(record_retry_count)s, %(now)s,
        %(id)s, conversation.last_position, %(record_item_count)s
    FROM conversation
)"""

SELECT_ITEMS = "\nSELECT item.id, item.position FROM item ORDER BY item.position"

# The time is NULL if it is the one of these items, because the driver takes longer to read it than the other values.
SELECT_ITEMS_AND_COUNTERS = """
SELECT item.id, item.position, conversation.item_count, conversation.call_balance,
    NULLIF(conversation.last_item_at, %(now)s)
FROM conversation, item ORDER BY item.position"""

SELECT_ONE_ROW = "\nSELECT 1 FROM conversation"

# Nothing is stored while a parallel transaction holds the lock of the same Idempotency-Key. A row of a conversation is
# locked after its conditions were checked, so that the statement does not wait for it (see `db.request_keys.key_lock`).
HAS_KEY_LOCK = TRY_LOCK.format(place="%(record_key)s")
