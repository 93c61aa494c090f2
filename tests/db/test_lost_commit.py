"""Writes whose connection is lost after the server has executed them, or before."""

import pytest
from django.db import OperationalError, connection

from conversations.deletion import delete_conversation
from conversations.models import Conversation, PendingRecord, RequestRecord
from conversations.signals import metadata_replaced
from tests.cutting_proxy import running_proxy

MESSAGE = {"type": "message", "role": "user", "content": "Hello!"}
WITH_ID = {**MESSAGE, "id": "msg_mine"}  # is stored by several statements in one transaction
COMMIT = b"\x03commit" if connection.vendor == "mysql" else b"commit"
FIRST_STATEMENT = b"update `conversations_conversation`" if connection.vendor == "mysql" else b"begin"
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
    conversation = Conversation.objects.create_with_items(owner=alice, items=[item])
    assert proxy.cuts == 1
    assert Conversation.objects.get() == conversation
    assert Conversation.objects.get().items.count() == 1


@pytest.mark.parametrize("item", [MESSAGE, WITH_ID])
def test_append_that_was_stored_succeeds_although_its_answer_was_lost(alice, proxy, item):
    Conversation.objects.create_with_items(owner=alice, items=[MESSAGE])
    conversation = Conversation.objects.get()
    proxy.cut_after = last_statement(item)
    [added] = conversation.add_items([item])
    assert proxy.cuts == 1
    assert list(Conversation.objects.get().items.all())[1:] == [added]


def state():
    rows = Conversation.objects.order_by("pk").values_list("metadata", "item_count", "last_position")
    return [(*row, count) for row, count in zip(rows, item_counts(), strict=True)]


def item_counts():
    return [conversation.items.count() for conversation in Conversation.objects.order_by("pk")]


VERBS = {
    "update": (
        lambda conversation, record: conversation.replace_metadata({"topic": "second"}, record=record),
        [({"topic": "second"}, 3, 3, 3)],
    ),
    "delete item": (
        lambda conversation, record: conversation.delete_item("msg_mine", record=record),
        [({"topic": "first"}, 2, 3, 2)],
    ),
    "rewind": (
        lambda conversation, record: conversation.rewind(after="msg_mine", record=record),
        [({"topic": "first"}, 1, 3, 1)],
    ),
    "fork": (lambda conversation, record: conversation.fork(record=record), [({"topic": "first"}, 3, 3, 3)] * 2),
    "delete": (lambda conversation, record: delete_conversation(conversation, record=record), []),
}
RECORDS = {
    "no record": lambda: None,
    "a count": lambda: PendingRecord.without_key("one", retry_count=0),
    "a key": lambda: PendingRecord.with_key("one", fingerprint="", retry_count=0),
}


def changes(alice):
    """Yield a new conversation, a verb that changes it, the state afterwards, and the record to store."""
    for verb, written in VERBS.values():
        for build_record in RECORDS.values():
            Conversation.objects.create_with_items(
                owner=alice, metadata={"topic": "first"}, items=[WITH_ID, MESSAGE, MESSAGE]
            )
            yield Conversation.objects.get(), verb, written, build_record()
            Conversation.objects.all().delete()
            RequestRecord.objects.all().delete()


def test_changes_that_were_stored_succeed_although_their_answers_were_lost(alice, proxy):
    for cuts, (conversation, verb, written, record) in enumerate(changes(alice), start=1):
        proxy.cut_after = COMMIT
        verb(conversation, record)
        assert proxy.cuts == cuts
        assert state() == written
        assert RequestRecord.objects.exists() == bool(record)


def test_changes_whose_transactions_were_lost_raise_the_error(alice, proxy):
    for cuts, (conversation, verb, _, record) in enumerate(changes(alice), start=1):
        proxy.cut_after = FIRST_STATEMENT
        before = state()
        with pytest.raises(OperationalError):
            verb(conversation, record)
        assert proxy.cuts == cuts
        assert state() == before
        assert not RequestRecord.objects.exists()


def test_signal_of_a_change_is_sent_although_the_answer_of_its_commit_was_lost(alice, proxy):
    [conversation, update, *_] = next(changes(alice))
    received = []

    def receive(**values):
        received.append(values["conversation"])

    metadata_replaced.connect(receive)
    proxy.cut_after = COMMIT
    try:
        update(conversation, None)
    finally:
        metadata_replaced.disconnect(receive)
    assert (proxy.cuts, received) == (1, [conversation])


def test_write_whose_transaction_was_lost_raises_the_error(alice, proxy):
    proxy.cut_after = b"begin" if connection.vendor == "postgresql" else b"conversations_conversation"
    with pytest.raises(OperationalError):
        Conversation.objects.create_with_items(owner=alice, items=[WITH_ID])
    assert proxy.cuts == 1
    assert not Conversation.objects.exists()
