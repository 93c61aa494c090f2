"""Repeated turns get the first answer again, and the model is not asked twice."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import BadRequestError

from tests.responses.items import stored_texts
from tests.waiting import wait_until

REPETITIONS = [
    pytest.param({"Idempotency-Key": "{key}"}, {"Idempotency-Key": "{key}"}, id="key"),
    pytest.param({"X-Stainless-Retry-Count": "0"}, {"X-Stainless-Retry-Count": "1"}, id="retry count"),
]


def for_conversation(headers, conversation_id):
    return {name: value.format(key=f"key of {conversation_id}") for name, value in headers.items()}


@pytest.mark.parametrize(("first", "second"), REPETITIONS)
@pytest.mark.parametrize("model", ["echo", "tools", "incomplete"])
def test_repeated_turn_gets_the_first_answer_without_asking_the_model(client, stage, first, second, model):
    conversation = client.conversations.create()
    arguments = {"model": model, "conversation": conversation.id, "input": "one"}
    answer = client.responses.create(**arguments, extra_headers=for_conversation(first, conversation.id))
    asked = len(stage.upstream.requests)
    repeated = client.responses.with_raw_response.create(
        **arguments, extra_headers=for_conversation(second, conversation.id)
    )
    assert repeated.headers["idempotency-replayed"] == "true"
    assert repeated.parse().to_dict() == answer.to_dict()
    assert len(stage.upstream.requests) == asked
    assert len(stored_texts(client, conversation.id)) == 1 + len(answer.output)


@pytest.mark.parametrize(("first", "second"), REPETITIONS)
def test_repeated_stream_has_the_same_finished_items_and_final_event(client, stage, first, second):
    conversation = client.conversations.create()
    arguments = {"model": "tools", "conversation": conversation.id, "input": "one", "stream": True}
    events = list(client.responses.create(**arguments, extra_headers=for_conversation(first, conversation.id)))
    asked = len(stage.upstream.requests)
    repeated = list(client.responses.create(**arguments, extra_headers=for_conversation(second, conversation.id)))
    done = "response.output_item.done"
    assert [each.item for each in repeated if each.type == done] == [each.item for each in events if each.type == done]
    assert repeated[-1].response == events[-1].response
    assert len(stage.upstream.requests) == asked


@pytest.mark.parametrize(("first", "second"), REPETITIONS)
def test_repetition_waits_for_the_turn_that_is_being_executed(client, stage, first, second):
    conversation = client.conversations.create()
    asked = len(stage.upstream.requests)
    arguments = {"model": "stall", "conversation": conversation.id, "input": "one"}
    with ThreadPoolExecutor(2) as pool:
        headers = [for_conversation(each, conversation.id) for each in (first, second)]
        turn = pool.submit(client.responses.create, **arguments, extra_headers=headers[0])
        wait_until(lambda: len(stage.upstream.requests) == asked + 1)
        repeated = pool.submit(client.responses.create, **arguments, extra_headers=headers[1])
        stage.upstream.released.set()
        assert repeated.result().to_dict() == turn.result().to_dict()
    assert len(stage.upstream.requests) == asked + 1


@pytest.mark.parametrize(("first", "second"), REPETITIONS)
def test_stream_that_was_aborted_and_is_repeated_is_one_turn(client, stage, first, second):
    conversation = client.conversations.create()
    asked = len(stage.upstream.requests)
    arguments = {"model": "stall", "conversation": conversation.id, "input": "one", "stream": True}
    with stage.client() as impatient:
        headers = for_conversation(first, conversation.id)
        next(iter(impatient.responses.create(**arguments, extra_headers=headers)))
    with ThreadPoolExecutor(1) as pool:
        headers = for_conversation(second, conversation.id)
        repeated = pool.submit(lambda: list(client.responses.create(**arguments, extra_headers=headers)))
        stage.upstream.released.set()
        final = repeated.result()[-1]
    assert final.type == "response.completed"
    assert stored_texts(client, conversation.id) == ["one", final.response.output_text]
    assert len(stage.upstream.requests) == asked + 1


def test_client_that_lost_the_answer_gets_it_by_its_own_retry(client, stage):
    conversation = client.conversations.create()
    asked = len(stage.upstream.requests)
    with stage.client(timeout=2, max_retries=2) as impatient, ThreadPoolExecutor(1) as pool:
        turn = pool.submit(impatient.responses.create, model="stall", conversation=conversation.id, input="one")
        wait_until(lambda: stage.upstream.requests[asked:] != [])
        # The client has waited in vain, and sends the request again.
        threading.Timer(2.5, stage.upstream.released.set).start()
        answer = turn.result()
    assert stored_texts(client, conversation.id) == ["one", answer.output_text]
    assert len(stage.upstream.requests) == asked + 1


def test_equal_turns_that_are_no_repetitions_are_both_executed(client):
    conversation = client.conversations.create()
    for _ in range(2):
        client.responses.create(model="echo", conversation=conversation.id, input="yes")
    assert stored_texts(client, conversation.id)[::2] == ["yes", "yes"]


def test_key_of_another_request_is_refused_before_the_model_is_asked(client, stage):
    conversation = client.conversations.create()
    headers = {"Idempotency-Key": f"key of {conversation.id}"}
    client.responses.create(model="echo", conversation=conversation.id, input="one", extra_headers=headers)
    asked = len(stage.upstream.requests)
    with pytest.raises(BadRequestError) as raised:
        client.responses.create(model="echo", conversation=conversation.id, input="two", extra_headers=headers)
    assert raised.value.code == "idempotency_key_reuse"
    assert len(stage.upstream.requests) == asked


def test_failed_turn_is_executed_again(client, stage):
    conversation = client.conversations.create()
    headers = {"Idempotency-Key": f"key of {conversation.id}"}
    arguments = {"model": "break", "conversation": conversation.id, "input": "one", "extra_headers": headers}
    asked = len(stage.upstream.requests)
    for _ in range(2):
        with pytest.raises(Exception, match="incomplete answer"):
            client.responses.create(**arguments)
    assert len(stage.upstream.requests) == asked + 2
