"""Faults in the middle of a turn: no turn is half-stored, doubled, or acknowledged and lost."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from django.db import connection

from tests.live.database import ScratchDatabase
from tests.live.service import Service
from tests.responses.conftest import Stage
from tests.responses.fake_upstream import running_upstream
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
    [process] = [pid for pid in stage.service.workers if is_listening(pid, stage.service.port + 1)]
    os.kill(process, signal.SIGKILL)
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


def is_answering(client: openai.OpenAI) -> bool:
    try:
        client.models.list()
    except openai.APIConnectionError:
        return False
    return True


def is_listening(pid: int, port: int) -> bool:
    """Whether the process has a socket that listens at the port, according to Linux."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" and f"socket:[{row[9]}]" in inodes for row in rows)
