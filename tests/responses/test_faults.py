"""Faults in the middle of a turn: no turn is half-stored, doubled, or acknowledged and lost."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from django.db import connection

from tests.live.database import ScratchDatabase
from tests.live.faults.documented_run import database_name, run_documented
from tests.live.service import Service
from tests.responses.conftest import Stage
from tests.responses.fake_upstream import running_upstream
from tests.responses.faults import is_answering, kill_model_process
from tests.responses.items import execute, stored_texts
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def stage(tmp_path, django_db_blocker) -> Iterator[Stage]:
    """A service that no other test uses."""
    database = ScratchDatabase(tmp_path, django_db_blocker)
    database.create()
    with running_upstream() as upstream:
        service = Service(database, tmp_path, CONVERSATIONS_UPSTREAM_URL=upstream.url)
        service.start()
        yield Stage(service, upstream)
        service.kill()
    database.drop()


def test_turn_of_a_killed_process_is_not_stored_and_its_lease_expires(client, stage):
    conversation = client.conversations.create()
    stream = client.responses.create(model="stall", conversation=conversation.id, input="one", stream=True)
    next(iter(stream))
    kill_model_process(stage)
    with pytest.raises(openai.APIConnectionError):
        list(stream)
    stage.upstream.released.set()
    wait_until(lambda: is_answering(client))
    assert stored_texts(client, conversation.id) == []
    with pytest.raises(openai.BadRequestError, match="Another process"):
        client.responses.create(model="echo", conversation=conversation.id, input="one")
    execute(stage, "UPDATE conversations_responses_lease SET expires_at = '2020-01-01 00:00:00'", [])
    answer = client.responses.create(model="echo", conversation=conversation.id, input="one")
    assert stored_texts(client, conversation.id) == ["one", answer.output_text]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL can refuse connections")
@pytest.mark.parametrize("is_stream", [False, True])
def test_turn_is_stored_once_after_the_database_was_away(client, stage, is_stream):
    conversation = client.conversations.create()

    def take_turn() -> str:
        answer = client.responses.create(model="stall", conversation=conversation.id, input="one", stream=is_stream)
        return (list(answer)[-1].response if is_stream else answer).output_text

    with ThreadPoolExecutor(1) as pool:
        turn = pool.submit(take_turn)
        wait_until(lambda: stage.upstream.requests != [])
        stage.service.database.refuse_connections()
        stage.upstream.released.set()
        wait_until(lambda: stage.upstream.finished == 1)
        stage.service.database.accept_connections()
        assert turn.result() == "I see 1 items. Card 4111111111111111."
    assert stored_texts(client, conversation.id) == ["one", turn.result()]


def test_stream_outlives_the_replacement_of_its_process(client, stage):
    conversation = client.conversations.create()
    stream = client.responses.create(model="stall", conversation=conversation.id, input="one", stream=True)
    next(iter(stream))
    before = set(stage.service.workers)
    stage.service.reload()
    wait_until(lambda: len(set(stage.service.workers) - before) == len(before))
    stage.upstream.released.set()
    assert list(stream)[-1].type == "response.completed"
    wait_until(lambda: before.isdisjoint(stage.service.workers))
    assert len(stored_texts(client, conversation.id)) == 2


def test_service_that_stops_stores_the_turn_of_a_client_that_went_away(client, stage):
    conversation = client.conversations.create()
    with stage.client() as impatient:
        next(iter(impatient.responses.create(model="stall", conversation=conversation.id, input="one", stream=True)))
    stage.service.terminate()
    wait_until(stage.service.is_refusing_connections)
    stage.upstream.released.set()
    stage.service.wait()
    count = "SELECT item_count FROM conversations_conversation WHERE id = %s"
    assert execute(stage, count, [conversation.id]) == [(2,)]


def test_turn_whose_client_never_reads_its_answer_is_stored(client, stage):
    """The HTTP server logs an error for an answer without an end, so that the service is not one of other tests."""
    conversation = client.conversations.create()
    body = json.dumps({"model": "flood", "conversation": conversation.id, "input": "one", "stream": True})
    headers = ["Host: localhost", f"Authorization: Bearer {stage.service.secret}", f"Content-Length: {len(body)}"]
    with socket.create_connection(("127.0.0.1", stage.service.port + 1)) as idle:
        idle.sendall("\r\n".join(["POST /v1/responses HTTP/1.1", *headers, "", body]).encode())
        wait_until(lambda: len(stored_texts(client, conversation.id)) == 2)


def test_turns_that_are_broken_off_and_repeated_are_stored_once_as_a_whole():
    name = database_name()
    _, rows = run_documented("tests.responses.faults", replace="--turns 100", by="--turns 2")
    cut = [] if name == "sqlite" else [["commit cut", name, "2", "4", "0", "0", "0"]]
    assert rows == [
        ["process killed", name, "2", "2", "0", "0", "0"],
        ["upstream cut", name, "2", "0", "0", "0", "0"],
        *cut,
        ["client aborted", name, "2", "2", "0", "0", "0"],
    ]
