"""Writes whose connection is lost after the server has executed them, or before."""

import pytest
from django.db import OperationalError, connection

from conversations.deletion import delete_conversation
from conversations.idempotency import run_once
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


RECORDS = {
    "no record": lambda: None,
    "a count": lambda: PendingRecord.without_key("one", retry_count=0),
    "a key": lambda: PendingRecord.with_key("one", fingerprint="", retry_count=0),
}


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("item", [MESSAGE, WITH_ID])
def test_create_that_was_stored_succeeds_although_its_answer_was_lost(alice, proxy, item, record):
    proxy.cut_after = last_statement(item)
    conversation = Conversation.objects.create_with_items(owner=alice, items=[item], record=RECORDS[record]())
    assert proxy.cuts == 1
    assert Conversation.objects.get() == conversation
    assert Conversation.objects.get().items.count() == 1
    assert RequestRecord.objects.count() == (record != "no record")


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("item", [MESSAGE, WITH_ID])
def test_append_that_was_stored_succeeds_although_its_answer_was_lost(alice, proxy, item, record):
    Conversation.objects.create_with_items(owner=alice, items=[MESSAGE])
    conversation = Conversation.objects.get()
    proxy.cut_after = last_statement(item)
    [added] = conversation.add_items([item], record=RECORDS[record]())
    assert proxy.cuts == 1
    assert list(Conversation.objects.get().items.all())[1:] == [added]
    assert RequestRecord.objects.count() == (record != "no record")


def cut_look_ups(proxy, number):
    """Let the connection be lost again in each of the first look-ups after it was lost."""

    def cut(execute, *args):
        if 0 < proxy.cuts <= number:
            proxy.cut_after = b"select"
        return execute(*args)

    return connection.execute_wrapper(cut)


def test_look_up_is_repeated_on_a_new_connection(alice, proxy):
    proxy.cut_after = COMMIT
    with cut_look_ups(proxy, 2):
        conversation = Conversation.objects.create_with_items(owner=alice, items=[WITH_ID])
    assert proxy.cuts == 3
    assert Conversation.objects.get() == conversation


def test_write_raises_the_error_if_the_database_stays_away(alice, proxy):
    proxy.cut_after = COMMIT
    with cut_look_ups(proxy, 100), pytest.raises(OperationalError):
        Conversation.objects.create_with_items(owner=alice, items=[WITH_ID])
    connection.close()
    assert Conversation.objects.count() == 1


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


def test_retry_that_was_stored_succeeds_although_its_answer_was_lost(alice, proxy):
    verbs = {"append": lambda conversation, record: conversation.add_items([MESSAGE], record=record)}
    verbs |= {name: verb for name, (verb, _) in VERBS.items()}
    for cuts, (name, verb) in enumerate(verbs.items(), start=1):
        conversation = Conversation.objects.create_with_items(owner=alice, items=[WITH_ID, MESSAGE, MESSAGE])
        proxy.cut_after = COMMIT
        answer = run_once(
            lambda record, verb=verb, conversation=conversation: verb(conversation, record),
            record=PendingRecord.without_key(name, retry_count=1),
            replay=lambda record: record.key,
            conversation_id=conversation.pk,
        )
        assert proxy.cuts == cuts
        assert answer == (name, False)  # rendered from the record, because the verb's own result was lost
        assert RequestRecord.objects.filter(key=name).count() == 1


def test_retry_whose_transaction_was_lost_raises_the_error(alice, proxy):
    conversation = Conversation.objects.create_with_items(owner=alice, items=[MESSAGE])
    before = state()
    proxy.cut_after = FIRST_STATEMENT
    with pytest.raises(OperationalError):
        run_once(
            lambda record: conversation.add_items([MESSAGE], record=record),
            record=PendingRecord.without_key("append", retry_count=1),
            replay=lambda record: record.key,
            conversation_id=conversation.pk,
        )
    assert proxy.cuts == 1
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


@pytest.mark.parametrize("record", RECORDS)
def test_create_whose_transaction_was_lost_raises_the_error(alice, proxy, record):
    proxy.cut_after = b"begin" if connection.vendor == "postgresql" else b"conversations_conversation"
    with pytest.raises(OperationalError):
        Conversation.objects.create_with_items(owner=alice, items=[WITH_ID], record=RECORDS[record]())
    assert proxy.cuts == 1
    assert not Conversation.objects.exists()
    assert not RequestRecord.objects.exists()


@pytest.mark.parametrize("record", RECORDS)
def test_append_whose_transaction_was_lost_raises_the_error(alice, proxy, record):
    conversation = Conversation.objects.create_with_items(owner=alice, items=[MESSAGE])
    before = state()
    proxy.cut_after = b"begin" if connection.vendor == "postgresql" else b"conversations_conversation"
    with pytest.raises(OperationalError):
        conversation.add_items([WITH_ID], record=RECORDS[record]())
    assert proxy.cuts == 1
    assert state() == before
    assert not RequestRecord.objects.exists()
