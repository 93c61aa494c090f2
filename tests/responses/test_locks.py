"""The lease of a conversation: one turn at a time, whatever becomes of its client."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone
from openai import BadRequestError, NotFoundError

from conversations.models import Conversation
from tests.responses.items import execute, stored_texts
from tests.waiting import wait_until

LIFETIME = timedelta(seconds=60)  # of a lease, from the last time that it was renewed


def test_second_turn_meanwhile_is_refused_and_one_afterwards_is_not(client, stage):
    conversation = client.conversations.create()
    stream = client.responses.create(model="stall", conversation=conversation.id, input="one", stream=True)
    next(iter(stream))
    with pytest.raises(BadRequestError) as raised:
        client.responses.create(model="echo", conversation=conversation.id, input="two")
    assert raised.value.body == {
        "message": "Another process is currently operating on this conversation. Please retry in a few seconds.",
        "type": "invalid_request_error",
        "param": "conversation",
        "code": "conversation_locked",
    }
    client.conversations.items.create(conversation.id, items=[{"role": "user", "content": "beside"}])
    stage.upstream.released.set()
    assert [event.type for event in stream][-1] == "response.completed"
    client.responses.create(model="echo", conversation=conversation.id, input="two")
    texts = stored_texts(client, conversation.id)
    assert (texts[0], texts[1], texts[3]) == ("beside", "one", "two")
    assert len(texts) == 5


def test_one_of_many_turns_at_the_same_moment_is_executed(client, stage):
    conversation = client.conversations.create()
    asked = len(stage.upstream.requests)

    def take_turn(number: int) -> str:
        try:
            client.responses.create(model="stall", conversation=conversation.id, input=f"turn {number}")
        except BadRequestError as error:
            return error.code
        return "stored"

    with ThreadPoolExecutor(6) as pool:
        turns = [pool.submit(take_turn, number) for number in range(6)]
        wait_until(lambda: sum(turn.done() for turn in turns) == 5)
        stage.upstream.released.set()
        assert sorted(turn.result() for turn in turns) == ["conversation_locked"] * 5 + ["stored"]
    assert len(stage.upstream.requests) == asked + 1
    assert len(stored_texts(client, conversation.id)) == 2


@pytest.mark.parametrize("is_stream", [False, True])
def test_turn_whose_client_went_away_is_stored(client, stage, is_stream):
    conversation = client.conversations.create()
    arguments = {"model": "stall", "conversation": conversation.id, "input": "one"}
    if is_stream:
        with stage.client() as impatient:
            next(iter(impatient.responses.create(**arguments, stream=True)))
    else:
        with stage.client(timeout=0.5) as impatient, pytest.raises(Exception, match="timed out"):
            impatient.responses.create(**arguments)
    assert stored_texts(client, conversation.id) == []
    stage.upstream.released.set()
    wait_until(lambda: len(stored_texts(client, conversation.id)) == 2)


def test_lease_of_a_process_that_died_expires(client, stage):
    conversation = client.conversations.create()
    insert = (
        "INSERT INTO conversations_responses_lease (conversation_id, token, request_key, expires_at)"
        " VALUES (%s, 'dead', '', %s)"
    )
    execute(stage, insert, [conversation.id, "2999-01-01 00:00:00"])
    with pytest.raises(BadRequestError, match="Another process"):
        client.responses.create(model="echo", conversation=conversation.id, input="one")
    update = "UPDATE conversations_responses_lease SET expires_at = %s WHERE conversation_id = %s"
    execute(stage, update, ["2020-01-01 00:00:00", conversation.id])
    client.responses.create(model="echo", conversation=conversation.id, input="one")
    assert execute(stage, "SELECT COUNT(*) FROM conversations_responses_lease", []) == [(0,)]


@pytest.mark.parametrize("is_stream", [False, True])
def test_turn_that_lost_its_lease_is_an_error_and_not_stored(client, stage, is_stream):
    conversation = client.conversations.create()
    arguments = {"model": "stall", "conversation": conversation.id, "input": "one", "stream": is_stream}
    with ThreadPoolExecutor(1) as pool:
        turn = pool.submit(lambda: list(client.responses.create(**arguments)))
        wait_until(lambda: lease_of(stage, conversation.id) != [])
        execute(stage, "DELETE FROM conversations_responses_lease WHERE conversation_id = %s", [conversation.id])
        stage.upstream.released.set()
        if is_stream:
            events = turn.result()
            assert (events[-1].type, events[-1].response.error.code) == ("response.failed", "conversation_locked")
            assert "response.completed" not in [event.type for event in events]
        else:
            with pytest.raises(BadRequestError, match="Another process"):
                turn.result()
    assert stored_texts(client, conversation.id) == []


# Transactions that other connections to the database have open.
TRANSACTIONS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE xact_start IS NOT NULL AND datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
    "mysql": "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx JOIN information_schema.processlist"
    " ON id = trx_mysql_thread_id WHERE db = DATABASE() AND id <> CONNECTION_ID()",
}


def has_no_transaction(cursor):
    if connection.vendor == "sqlite":
        cursor.execute("BEGIN IMMEDIATE")  # It waits for the end of a transaction that writes.
        cursor.execute("ROLLBACK")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return cursor.fetchone()[0] == 0  # No transaction that reads keeps the log.
    time.sleep(0.2)  # InnoDB refreshes its table only if nobody has read it for a tenth of a second.
    cursor.execute(TRANSACTIONS[connection.vendor])
    return not cursor.fetchall()


@pytest.mark.parametrize("is_stream", [False, True])
def test_no_transaction_is_open_while_the_model_runs(client, stage, is_stream):
    conversation = client.conversations.create()
    asked = len(stage.upstream.requests)
    arguments = {"model": "stall", "conversation": conversation.id, "input": "one", "stream": is_stream}
    with ThreadPoolExecutor(1) as pool:
        turn = pool.submit(lambda: list(client.responses.create(**arguments)))
        wait_until(lambda: len(stage.upstream.requests) > asked)
        with stage.service.database.open() as alias, connections[alias].cursor() as cursor:
            wait_until(lambda: has_no_transaction(cursor))
        stage.upstream.released.set()
        turn.result()
    assert len(stored_texts(client, conversation.id)) == 2


def test_turn_of_a_conversation_that_is_deleted_meanwhile_is_an_error(client, stage):
    conversation = client.conversations.create()
    with ThreadPoolExecutor(1) as pool:
        turn = pool.submit(client.responses.create, model="stall", conversation=conversation.id, input="one")
        count = "SELECT COUNT(*) FROM conversations_responses_lease WHERE conversation_id = %s"
        wait_until(lambda: execute(stage, count, [conversation.id]) == [(1,)])
        client.conversations.delete(conversation.id)
        stage.upstream.released.set()
        with pytest.raises(NotFoundError, match="not found"):
            turn.result()
    assert execute(stage, count, [conversation.id]) == [(0,)]


def test_deleted_conversation_leaves_no_turns(client, stage):
    conversation = client.conversations.create()
    client.responses.create(model="echo", conversation=conversation.id, input="one")
    count = "SELECT COUNT(*) FROM conversations_responses_turn WHERE conversation_id = %s"
    assert execute(stage, count, [conversation.id]) == [(1,)]
    client.conversations.delete(conversation.id)
    assert execute(stage, count, [conversation.id]) == [(0,)]
    with stage.service.database.open() as alias:
        assert not Conversation.objects.using(alias).filter(pk=conversation.id).exists()


@pytest.mark.slow
def test_lease_of_a_minute_is_renewed_every_15_seconds_while_the_model_runs(client, stage):
    conversation = client.conversations.create()
    before = timezone.now()
    stream = client.responses.create(model="stall", conversation=conversation.id, input="one", stream=True)
    next(iter(stream))
    [(first,)] = lease_of(stage, conversation.id)
    assert before + LIFETIME <= as_time(first) <= timezone.now() + LIFETIME
    wait_until(lambda: lease_of(stage, conversation.id) != [(first,)])
    [(second,)] = lease_of(stage, conversation.id)
    assert as_time(second) - as_time(first) >= timedelta(seconds=15)
    stage.upstream.released.set()
    assert list(stream)[-1].type == "response.completed"


def lease_of(stage, conversation_id):
    select = "SELECT expires_at FROM conversations_responses_lease WHERE conversation_id = %s"
    return execute(stage, select, [conversation_id])


def as_time(value):
    """Return the time that a database's driver returns for a column with one: SQLite's is a text."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
