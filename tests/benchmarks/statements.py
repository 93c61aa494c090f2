"""Each workload as one SQL statement for PostgreSQL, with the effect that the service's requests have."""

from tests.benchmarks.workloads import EXAMPLE, PAGE, SEED_ITEM, Workload, messages

# Ids in order of creation, like the service's. The ids of seeded conversations follow from their numbers instead.
NEW_ID = "left(to_hex((extract(epoch FROM clock_timestamp()) * 1e6)::bigint) || md5(random()::text) || '000', 48)"
CONVERSATION_COLUMNS = "(id, owner_id, created_at, metadata, item_count, last_position, last_item_at)"
ITEM_COLUMNS = "(conversation_id, position, item_id, type, data, created_at)"
PAIR_COLUMNS = "(conversation_id, owner_id, key, value)"
[(KEY, VALUE)] = EXAMPLE["metadata"].items()


def seeded_id(number: str) -> str:
    return f"'conv_' || lpad(({number})::text, 48, '0')"


def statement(workload: Workload, conversation_id: str) -> str:
    """Return the statement for one request; `conversation_id` is an SQL expression."""
    match workload.verb:
        case "create":
            return _create(workload)
        case "append":
            return f"WITH {_reserve_positions(workload, conversation_id)} {_items(workload)}"
        case "retrieve":
            return f"SELECT * FROM conversations_conversation WHERE id = {conversation_id} AND owner_id = 1"
        case "list":
            return f"""
                SELECT id, position, item_id, type, data, created_at FROM conversations_item
                WHERE conversation_id =
                    (SELECT id FROM conversations_conversation WHERE id = {conversation_id} AND owner_id = 1)
                ORDER BY position DESC LIMIT {PAGE + 1}"""
        case "find":
            return f"""
                SELECT conversation.* FROM conversations_metadatapair AS pair
                JOIN conversations_conversation AS conversation ON conversation.id = pair.conversation_id
                WHERE pair.owner_id = 1 AND pair.key = '{KEY}' AND pair.value = '{VALUE}'
                ORDER BY pair.conversation_id DESC LIMIT {PAGE + 1}"""


def seed(first: int, last: int, size: int) -> list[str]:
    """Return three statements: they insert the conversations with these numbers, their metadata and their items."""
    numbers = f"generate_series({first}, {last}) AS number"
    text = SEED_ITEM["content"]
    return [
        f"""INSERT INTO conversations_conversation {CONVERSATION_COLUMNS}
            SELECT {seeded_id("number")}, 1, now(), '{{"{KEY}":"{VALUE}"}}', {size}, {size}, now() FROM {numbers}""",
        f"""INSERT INTO conversations_metadatapair {PAIR_COLUMNS}
            SELECT {seeded_id("number")}, 1, '{KEY}', '{VALUE}' FROM {numbers}""",
        f"""INSERT INTO conversations_item {ITEM_COLUMNS}
            SELECT conversation_id, position, item_id, 'message', {_item_data("item_id", text)}, now() FROM (
                SELECT {seeded_id("number")} AS conversation_id, position, 'msg_' || {NEW_ID} AS item_id
                FROM {numbers}, generate_series(1, {size}) AS position
                OFFSET 0) AS new""",
    ]


def _create(workload: Workload) -> str:
    count, last_at = workload.items, "now()" if workload.items else "NULL"
    metadata = f'{{"{KEY}":"{VALUE}"}}' if count else "{}"
    conversation = f"""conversation AS (
        INSERT INTO conversations_conversation {CONVERSATION_COLUMNS}
        VALUES ('conv_' || {NEW_ID}, 1, now(), '{metadata}', {count}, {count}, {last_at})
        RETURNING id, 0 AS last_position)"""
    if not count:
        return f"WITH {conversation} SELECT id FROM conversation"
    pair = f"""pair AS (
        INSERT INTO conversations_metadatapair {PAIR_COLUMNS}
        SELECT id, 1, '{KEY}', '{VALUE}' FROM conversation)"""
    return f"WITH {conversation}, {pair} {_items(workload)}"


def _reserve_positions(workload: Workload, conversation_id: str) -> str:
    return f"""conversation AS (
        UPDATE conversations_conversation
        SET item_count = item_count + {workload.items}, last_position = last_position + {workload.items},
            last_item_at = now()
        WHERE id = {conversation_id} AND owner_id = 1
        RETURNING id, last_position - {workload.items} AS last_position)"""


def _items(workload: Workload) -> str:
    """Return the end of a statement whose CTE `conversation` has the last position in use."""
    text = messages(workload.items)[0]["content"]
    return f""", item AS (
        SELECT id AS conversation_id, last_position + number AS position, 'msg_' || {NEW_ID} AS item_id
        FROM conversation, generate_series(1, {workload.items}) AS number)
        INSERT INTO conversations_item {ITEM_COLUMNS}
        SELECT conversation_id, position, item_id, 'message', {_item_data("item_id", text)}, now() FROM item"""


def _item_data(item_id: str, text: str) -> str:
    start = '{"id":"'
    end = (
        '","type":"message","role":"user","status":"completed","content":[{"type":"input_text","text":"' + text + '"}]}'
    )
    return f"('{start}' || {item_id} || '{end}')::json"
