"""Writes whose connection is lost after the server has executed them, or before."""

import pytest
from django.db import OperationalError, connection

from conversations.models import Conversation
from tests.cutting_proxy import running_proxy

MESSAGE = {"type": "message", "role": "user", "content": "Hello!"}
WITH_ID = {**MESSAGE, "id": "msg_mine"}  # is stored by several statements in one transaction
COMMIT = b"\x03commit" if connection.vendor == "mysql" else b"commit"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no connection that can be lost"),
]


@pytest.fixture
def proxy(transactional_db, tmp_path):
    with running_proxy(tmp_path) as proxy:
        yield proxy


def last_statement(item):
    is_single_statement = connection.vendor == "postgresql" and "id" not in item
    # The text of the item is in the message that executes the statement, and not in the one that prepares it.
    return b"hello!" if is_single_statement else COMMIT


@pytest.mark.parametrize("item", [MESSAGE, WITH_ID])
def test_create_that_was_stored_succeeds_although_its_answer_was_lost(alice, proxy, item):
    proxy.cut_after = last_statement(item)
    conversation = Conversation.create_with_items(owner=alice, items=[item])
    assert proxy.cuts == 1
    assert Conversation.objects.get() == conversation
    assert Conversation.objects.get().items.count() == 1


@pytest.mark.parametrize("item", [MESSAGE, WITH_ID])
def test_append_that_was_stored_succeeds_although_its_answer_was_lost(alice, proxy, item):
    Conversation.create_with_items(owner=alice, items=[MESSAGE])
    conversation = Conversation.objects.get()
    proxy.cut_after = last_statement(item)
    [added] = conversation.add_items([item])
    assert proxy.cuts == 1
    assert list(Conversation.objects.get().items.all())[1:] == [added]


def test_write_whose_transaction_was_lost_raises_the_error(alice, proxy):
    proxy.cut_after = b"begin" if connection.vendor == "postgresql" else b"conversations_conversation"
    with pytest.raises(OperationalError):
        Conversation.create_with_items(owner=alice, items=[WITH_ID])
    assert proxy.cuts == 1
    assert not Conversation.objects.exists()
