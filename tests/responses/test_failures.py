"""Failures of the upstream and of the append: nothing is stored, and the client gets an error."""

import openai
import pytest

from tests.responses.items import execute, stored_texts


@pytest.mark.parametrize("is_stream", [False, True])
def test_error_of_the_upstream_is_passed_on_unchanged(client, is_stream):
    conversation = client.conversations.create()
    with pytest.raises(openai.RateLimitError) as raised:
        client.responses.create(model="status-429", conversation=conversation.id, input="one", stream=is_stream)
    assert raised.value.body["message"] == "Slow down."
    assert raised.value.response.headers["retry-after"] == "7"
    assert raised.value.request_id == "req_upstream"
    assert stored_texts(client, conversation.id) == []
    client.responses.create(model="echo", conversation=conversation.id, input="again")  # The lease has ended.


def test_failed_response_is_passed_on_and_not_stored(client):
    conversation = client.conversations.create()
    response = client.responses.create(model="fail", conversation=conversation.id, input="one")
    assert (response.status, response.error.code) == ("failed", "model_error")
    stream = client.responses.create(model="fail", conversation=conversation.id, input="one", stream=True)
    assert list(stream)[-1].type == "response.failed"
    assert stored_texts(client, conversation.id) == []


def test_error_event_is_passed_on_and_nothing_is_stored(client, stage):
    conversation = client.conversations.create()
    stream = client.responses.create(model="error-event", conversation=conversation.id, input="one", stream=True)
    last = list(stream)[-1]
    assert (last.type, last.message) == ("error", "It broke.")
    assert stored_texts(client, conversation.id) == []
    assert turns(stage, conversation.id) == [("failed", "server_error")]


@pytest.mark.parametrize("model", ["break", "cut"])
def test_stream_that_the_upstream_breaks_off_ends_with_a_failed_response(client, stage, model):
    conversation = client.conversations.create()
    events = list(client.responses.create(model=model, conversation=conversation.id, input="one", stream=True))
    last = events[-1]
    assert (last.type, last.response.status, last.response.error.code) == (
        "response.failed",
        "failed",
        "upstream_error",
    )
    assert last.response.id == events[0].response.id
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert stored_texts(client, conversation.id) == []
    assert turns(stage, conversation.id) == [("failed", "upstream_error")]


@pytest.mark.parametrize("model", ["break", "no-json"])
def test_answer_that_is_no_response_object_is_an_error(client, model):
    conversation = client.conversations.create()
    with pytest.raises(openai.InternalServerError) as raised:
        client.responses.create(model=model, conversation=conversation.id, input="one")
    assert (raised.value.status_code, raised.value.code) == (502, "upstream_error")
    assert stored_texts(client, conversation.id) == []


@pytest.mark.parametrize("is_stream", [False, True])
def test_output_that_cannot_be_stored_is_an_error_instead_of_an_answer(client, stage, is_stream):
    conversation = client.conversations.create()
    arguments = {"model": "unstorable", "conversation": conversation.id, "input": "one"}
    if is_stream:
        events = list(client.responses.create(**arguments, stream=True))
        assert events[-1].type == "response.failed"
        assert "response.completed" not in [event.type for event in events]
        assert events[-1].response.error.code == "invalid_value"
    else:
        with pytest.raises(openai.APIStatusError) as raised:
            client.responses.create(**arguments)
        assert raised.value.code == "invalid_value"
    assert stored_texts(client, conversation.id) == []
    assert turns(stage, conversation.id) == [("failed", "invalid_value")]


def turns(stage, conversation_id):
    sql = "SELECT status, error_code FROM conversations_responses_turn WHERE conversation_id = %s ORDER BY id"
    return execute(stage, sql, [conversation_id])
