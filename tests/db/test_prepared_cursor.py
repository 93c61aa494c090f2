import pytest
from django.db import connection
from django.db.models import QuerySet

from conversations.models import Conversation, Item
from conversations.owned_conversations import OwnedConversations
from conversations.schema.items import validate_items
from tests.queries import CapturedQueries

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="prepared statements of PostgreSQL")


@pytest.fixture(autouse=True)
def own_connection(transactional_db):
    connection.close()
    yield
    connection.close()


def prepared_statements():
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [statement for (statement,) in cursor.fetchall()]


def read_and_write(owner, text="Hello!"):
    conversation = Conversation.objects.create_with_items(owner=owner, metadata={"topic": "demo"})
    conversation.add_items(items=validate_items([{"role": "user", "content": text}]))
    OwnedConversations(owner).items_page(conversation.pk, limit=2, order="asc")
    return conversation


def test_frequent_statements_are_prepared_once(alice, monkeypatch):
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "prepare_threshold", 0)
    read_and_write(alice)
    names = prepared_statements()
    assert len(names) == 3
    for _ in range(3):
        read_and_write(alice)
    assert prepared_statements() == names


def test_query_log_shows_the_sent_parameters(alice):
    conversation = read_and_write(alice)
    with CapturedQueries(connection) as statements:
        OwnedConversations(alice).get(conversation.pk)
    assert conversation.pk in statements[-1]["sql"]


def test_statements_are_not_prepared_if_prepare_threshold_is_none(alice, monkeypatch):
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "prepare_threshold", None)
    read_and_write(alice)
    assert prepared_statements() == []


def test_statements_with_literal_values_are_not_cached(alice):
    conversation = read_and_write(alice, text="planted")
    values = {"item_id": "msg_9", "type": "message", "data": {"text": "planted"}, "created_at": "2026-01-01T00:00Z"}
    QuerySet(Item).bulk_create([Item(conversation=conversation, position=9, **values)])
    manager = connection.connection._prepared
    cached = [query for query, _ in [*manager._names, *manager._counts]]
    assert not any(b"planted" in query for query in cached)
    assert sum(not query.startswith(b"SELECT set_config") for query in cached) <= 3
