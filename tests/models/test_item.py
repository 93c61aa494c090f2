import re

import pytest
from django.db import connections

from conversations.models import Conversation, Item
from conversations.owned_conversations import OwnedConversations
from conversations.schema.items import validate_items
from tests.plans import capture_statements, plan_steps
from tests.queries import CapturedQueries

HELLO = validate_items([{"role": "user", "content": "Hello!"}])
connection = connections[Item.objects.db]
LONG = 2_000 if connection.vendor == "sqlite" else 20_000  # items; SQLite's plans do not depend on the number of rows


@pytest.fixture
def short_and_long(transactional_db, alice):  # ANALYZE ends a transaction on MySQL
    short = Conversation.objects.create_with_items(owner=alice, items=HELLO * 20)
    long = Conversation.objects.create_with_items(owner=alice)
    for _ in range(LONG // 1_000):
        long.add_items(items=HELLO * 1_000)
    with connection.cursor() as cursor:
        table = Item._meta.db_table
        cursor.execute(f"ANALYZE TABLE {table}" if connection.vendor == "mysql" else f"ANALYZE {table}")
    return short, long


def selects_of_a_page(conversation, **page):
    with CapturedQueries(connection) as queries:
        conversation.items.page(limit=20, **page)
    return [query["sql"] for query in queries]


def plan(sql):
    with connection.cursor() as cursor:
        cursor.execute(f"{connection.ops.explain_query_prefix()} {sql.replace('%', '%%')}")
        return " ".join(str(value) for row in cursor.fetchall() for value in row)


def test_page_is_read_by_position_index_in_short_and_long_conversations(short_and_long):
    by_position = {
        "postgresql": r"Index Scan( Backward)? using conversations_item_unique_position",
        "mysql": r"conversations_item_unique_position",
        "sqlite": r"SEARCH conversations_item USING INDEX \w+ \(conversation_id=\?( AND position[<>]\?)?\)",
    }[connection.vendor]
    for order in ("asc", "desc"):
        for middle in (False, True):
            pages = [
                selects_of_a_page(
                    conversation,
                    order=order,
                    after=conversation.items.get(position=conversation.last_position // 2).item_id if middle else None,
                )
                for conversation in short_and_long
            ]
            assert len(pages[0]) == len(pages[1]) == (2 if middle else 1)
            of_long = plan(pages[1][-1])
            assert re.search(by_position, of_long), of_long
            assert not re.search(r"Sort|filesort|TEMP B-TREE|Seq Scan", of_long), of_long


def test_page_read_together_with_its_conversation_uses_the_position_index(short_and_long, alice):
    by_position = "pk of Item" if connection.vendor == "sqlite" else "conversations_item_unique_position"
    for conversation in short_and_long:
        middle = conversation.items.get(position=conversation.last_position // 2).item_id
        for order in ("asc", "desc"):
            for after in (None, middle):
                with capture_statements() as statements:
                    page = OwnedConversations(alice).items_page(conversation.pk, limit=5, order=order, after=after)
                same = conversation.items.page(limit=5, order=order, after=after)
                assert (page.rows, page.has_more) == ([item.data for item in same.rows], same.has_more)
                ((sql, parameters),) = statements
                read = plan_steps(sql, parameters)
                assert by_position in read
                assert not any(step in ("sort", "hash") or step.startswith("scan") for step in read), read


def test_position_of_the_after_cursor_is_found_by_index(short_and_long):
    _, long = short_and_long
    middle = long.items.get(position=LONG // 2).item_id
    looked_up = plan(selects_of_a_page(long, order="asc", after=middle)[0])
    by_item_id = {
        "postgresql": r"Index (Only )?Scan using conversations_item_unique_item_id",
        "mysql": r"conversations_item_unique_item_id|const",
        "sqlite": r"USING (COVERING )?INDEX \w+ \(item_id=\? AND conversation_id=\?\)",
    }[connection.vendor]
    assert re.search(by_item_id, looked_up), looked_up
