"""The lease of a conversation: one turn at a time, whatever becomes of its client."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import BadRequestError, NotFoundError

from conversations.models import Conversation
from tests.responses.items import execute, stored_texts
from tests.waiting import wait_until


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
def test_lease_is_renewed_while_the_model_runs(client, stage):
    conversation = client.conversations.create()
    stream = client.responses.create(model="stall", conversation=conversation.id, input="one", stream=True)
    next(iter(stream))
    select = "SELECT expires_at FROM conversations_responses_lease WHERE conversation_id = %s"
    first = execute(stage, select, [conversation.id])
    wait_until(lambda: execute(stage, select, [conversation.id]) > first)
    stage.upstream.released.set()
    assert list(stream)[-1].type == "response.completed"
