"""An upstream that cannot be connected, or goes on sending too long, is a time-out. For silence see `test_strict`."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import openai
import pytest

from tests.live.service import running_service
from tests.responses.conftest import Stage
from tests.responses.fake_upstream import running_upstream
from tests.responses.items import execute, stored_texts
from tests.waiting import wait_until

FAILED = [("failed", "upstream_timeout")]


@contextmanager
def port_without_answers() -> Iterator[int]:
    """Yield a port at which the kernel answers no attempt to connect, because nobody accepts those that wait."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def stage(tmp_path_factory, django_db_blocker) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("time-outs")
    with running_upstream() as upstream:
        variables = {"CONVERSATIONS_UPSTREAM_URL": upstream.url, "CONVERSATIONS_UPSTREAM_SECONDS": "1"}
        with running_service(directory, django_db_blocker, **variables) as service:
            yield Stage(service, upstream)


def turns(stage, conversation_id):
    sql = "SELECT status, error_code FROM conversations_responses_turn WHERE conversation_id = %s"
    leases = execute(stage, "SELECT 1 FROM conversations_responses_lease WHERE conversation_id = %s", [conversation_id])
    assert leases == []
    return execute(stage, sql, [conversation_id])


@pytest.mark.parametrize("model", ["drip", "stall"])
def test_turn_that_takes_too_long_is_a_time_out(client, stage, model):
    conversation = client.conversations.create()
    with pytest.raises(openai.InternalServerError) as raised:
        client.responses.create(model=model, conversation=conversation.id, input="one")
    assert (raised.value.status_code, raised.value.code) == (504, "upstream_timeout")
    assert stored_texts(client, conversation.id) == []
    assert turns(stage, conversation.id) == FAILED


@pytest.mark.parametrize("model", ["drip", "stall"])
def test_stream_that_takes_too_long_ends_with_a_failed_response(client, stage, model):
    conversation = client.conversations.create()
    events = list(client.responses.create(model=model, conversation=conversation.id, input="one", stream=True))
    assert (events[-1].type, events[-1].response.error.code) == ("response.failed", "upstream_timeout")
    assert stored_texts(client, conversation.id) == []
    assert turns(stage, conversation.id) == FAILED


def test_upstream_is_read_no_longer_after_the_client_went_away(client, stage):
    conversation = client.conversations.create()
    with stage.client() as impatient:
        stream = impatient.responses.create(model="drip", conversation=conversation.id, input="one", stream=True)
        next(iter(stream))
    count = "SELECT COUNT(*) FROM conversations_responses_turn WHERE conversation_id = %s"
    wait_until(lambda: execute(stage, count, [conversation.id]) == [(1,)])
    assert turns(stage, conversation.id) == FAILED
    assert stored_texts(client, conversation.id) == []


def test_request_without_a_conversation_that_takes_too_long_is_a_time_out(client):
    with pytest.raises(openai.InternalServerError) as raised:
        client.responses.create(model="stall", input="one")
    assert (raised.value.status_code, raised.value.code) == (504, "upstream_timeout")


def test_upstream_that_cannot_be_connected_is_a_time_out(tmp_path, django_db_blocker):
    with port_without_answers() as port:
        variables = {
            "CONVERSATIONS_UPSTREAM_URL": f"http://127.0.0.1:{port}/v1",
            "CONVERSATIONS_UPSTREAM_CONNECT_SECONDS": "0.5",
        }
        with running_service(tmp_path, django_db_blocker, **variables) as service:
            stage = Stage(service, None)
            with stage.client() as client:
                conversation = client.conversations.create()
                for arguments in ({"conversation": conversation.id}, {}):
                    with pytest.raises(openai.InternalServerError) as raised:
                        client.responses.create(model="echo", input="one", **arguments)
                    assert (raised.value.status_code, raised.value.code) == (504, "upstream_timeout")
                assert turns(stage, conversation.id) == FAILED
