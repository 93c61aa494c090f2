"""Verbs with one Idempotency-Key on two connections at once, as two processes of the service have them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from conversations.deletion import delete_conversation
from conversations.errors import APIError
from conversations.idempotency import run_once
from conversations.models import Conversation, PendingRecord, RequestRecord
from tests.waiting import is_waiting_for_lock, wait_until

MESSAGE = {"type": "message", "role": "user", "content": "Hello!"}
WITH_ID = {**MESSAGE, "id": "msg_mine"}
VERBS = {
    "create": lambda origin, record: Conversation.objects.create_with_items(owner=origin.owner, record=record),
    "append": lambda origin, record: origin.add_items([MESSAGE], record=record),
    "append item with id": lambda origin, record: origin.add_items([{**MESSAGE, "id": "msg_new"}], record=record),
    "update": lambda origin, record: origin.replace_metadata({"topic": "second"}, record=record),
    "delete item": lambda origin, record: origin.delete_item("msg_mine", record=record),
    "rewind": lambda origin, record: origin.rewind(after=None, record=record),
    "fork": lambda origin, record: origin.fork(record=record),
    "delete": lambda origin, record: delete_conversation(origin, record=record),
}
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets a second writer wait"),
]


@pytest.fixture
def origin(alice):
    return Conversation.objects.create_with_items(owner=alice, items=[WITH_ID])


@pytest.fixture
def executor():
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield executor
        executor.submit(close_connection).result()


def close_connection():
    connection.close()


def record(key="one"):
    return PendingRecord.with_key(key, fingerprint="", retry_count=0)


def execute(name, conversation_id):
    VERBS[name](Conversation.objects.get(pk=conversation_id), record(name))


def test_second_transaction_with_a_key_is_refused_at_once_until_the_first_one_ends(origin, executor):
    for name in VERBS:
        with transaction.atomic():
            execute(name, origin.pk)
            with pytest.raises(APIError) as refused:
                executor.submit(execute, name, origin.pk).result()
            assert (refused.value.status, refused.value.code) == (409, "idempotency_key_in_use")
            transaction.set_rollback(True)
        assert not RequestRecord.objects.exists()
    for name in VERBS:
        executor.submit(execute, name, origin.pk).result()
    assert RequestRecord.objects.filter(key="delete").exists()


def test_key_is_released_when_the_connection_of_its_transaction_dies(origin, executor):
    def begin():
        transaction.set_autocommit(False)
        execute("append", origin.pk)

    executor.submit(begin).result()
    with pytest.raises(APIError):
        execute("append", origin.pk)
    executor.submit(close_connection).result()

    def is_released():
        try:
            execute("append", origin.pk)
        except APIError:
            return False
        return True

    wait_until(is_released)  # The database learns a little later that its client has gone.
    assert origin.items.count() == 2


def test_other_key_waits_for_the_conversation_only(origin, executor):
    with transaction.atomic():
        execute("append", origin.pk)
        append = executor.submit(execute, "append item with id", origin.pk)
        with pytest.raises(TimeoutError):
            append.result(timeout=0.5)
    append.result()
    assert origin.items.count() == 3
    last_positions = RequestRecord.objects.order_by("last_position").values_list("last_position", "conversation")
    assert list(last_positions) == [(2, origin.pk), (3, origin.pk)]


def append_once(conversation_id, retry_count):
    """Append, as a request without an Idempotency-Key does. Return whether it got the answer of another one."""
    try:
        _, is_replayed = run_once(
            lambda record: Conversation.objects.get(pk=conversation_id).add_items([MESSAGE], record=record),
            record=PendingRecord.without_key("append", retry_count=retry_count),
            replay=lambda record: record.last_position,
            conversation_id=conversation_id,
        )
        return is_replayed
    finally:
        connection.close()


def test_retry_without_a_key_waits_for_the_first_request(origin):
    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic():
            Conversation.objects.filter(pk=origin.pk).lock()
            first = pool.submit(append_once, origin.pk, 0)
            wait_until(is_waiting_for_lock)
            retry = pool.submit(append_once, origin.pk, 1)
            with pytest.raises(TimeoutError):
                retry.result(timeout=0.5)
        assert (first.result(), retry.result()) == (False, True)
    assert origin.items.count() == 2


def test_record_of_a_deletion_answers_one_of_two_retries_at_once(origin, executor):
    delete_conversation(origin, record=PendingRecord.without_key("delete", retry_count=0))

    def claim():
        return RequestRecord.objects.claim(PendingRecord.without_key("delete", retry_count=1))

    with transaction.atomic():
        assert claim()
        other = executor.submit(claim)  # waits for the row, as the conversation is not there to be locked
        wait_until(is_waiting_for_lock)
    assert other.result() is None


@pytest.mark.skipif(connection.vendor != "mysql", reason="only InnoDB locks gaps")
def test_key_in_a_locked_gap_is_not_in_use(origin, executor):
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM conversations_requestrecord WHERE `key` > 'a' FOR UPDATE")
        update = executor.submit(execute, "update", origin.pk)
        with pytest.raises(TimeoutError):
            update.result(timeout=0.5)
    update.result()
    assert RequestRecord.objects.filter(key="update").exists()
