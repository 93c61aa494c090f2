"""Turns of the official client against a running service with a fake upstream."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from tests.responses.fake_upstream import GOLDEN
from tests.responses.items import execute, stored_texts
from tests.waiting import SECONDS

SCRIPTS = Path(__file__).parent


@pytest.mark.parametrize("as_object", [False, True])
def test_two_turns_store_input_and_output_and_send_the_history(client, stage, as_object):
    conversation = client.conversations.create()
    named = {"id": conversation.id} if as_object else conversation.id
    first = client.responses.create(model="echo", conversation=named, input="one")
    second = client.responses.create(model="echo", conversation=named, input=[{"role": "user", "content": "two"}])
    assert first.conversation.id == conversation.id
    assert [first.output_text, second.output_text] == [
        "I see 1 items. Card 4111111111111111.",
        "I see 3 items. Card 4111111111111111.",
    ]
    assert stored_texts(client, conversation.id) == ["one", first.output_text, "two", second.output_text]
    items = list(client.conversations.items.list(conversation.id, order="asc"))
    assert [items[1].id, items[3].id] == [first.output[0].id, second.output[0].id]
    sent = stage.upstream.requests[-1]
    assert "conversation" not in sent["json"]
    assert [each["content"] for each in sent["json"]["input"]][::2] == [[{"type": "input_text", "text": "one"}], "two"]
    assert not any("id" in each for each in sent["json"]["input"])


def test_stream_arrives_as_the_upstream_sent_it_and_is_stored(client):
    conversation = client.conversations.create()
    stream = client.responses.create(model="echo", conversation=conversation.id, input="one", stream=True)
    events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    assert events[-1].response.conversation.id == conversation.id
    assert stored_texts(client, conversation.id) == ["one", events[-1].response.output_text]


GOLDEN_STREAMS = sorted(path.stem for path in GOLDEN.glob("*.sse"))


@pytest.mark.parametrize("name", GOLDEN_STREAMS)
def test_golden_stream_passes_through_byte_by_byte_except_for_the_conversation(client, stage, name):
    conversation = client.conversations.create()
    arguments = {"model": f"golden-{name}", "conversation": conversation.id, "input": "one", "stream": True}
    with client.responses.with_streaming_response.create(**arguments) as answer:
        received = b"".join(answer.iter_bytes()).split(b"\n\n")
    sent = (GOLDEN / f"{name}.sse").read_bytes().split(b"\n\n")
    assert len(received) == len(sent)
    for before, after in zip(sent, received, strict=True):
        if b'"response":' in before:
            event, data = (json.loads(each.partition(b"data: ")[2]) for each in (before, after))
            assert data["response"].pop("conversation") == {"id": conversation.id}
            event["response"].pop("conversation", None)
            assert data == event
        else:
            assert after == before
    final = json.loads(sent[-2].partition(b"data: ")[2])["response"]
    stored = [item.to_dict() for item in client.conversations.items.list(conversation.id, order="asc")][1:]
    assert [item["type"] for item in stored] == [item["type"] for item in final["output"]]
    for item, output in zip(stored, final["output"], strict=True):
        assert item["id"] == output.get("id", item["id"])  # Calls of llama.cpp have no ids.
    sql = "SELECT status, model FROM conversations_responses_turn WHERE conversation_id = %s"
    model = "" if name == "failed" else final["model"]
    assert execute(stage, sql, [conversation.id]) == [(final["status"], model)]


def test_other_lines_of_events_and_their_ends_pass_through(client, stage):
    conversation = client.conversations.create()
    arguments = {"model": "odd", "conversation": conversation.id, "input": "one", "stream": True}
    with client.responses.with_streaming_response.create(**arguments) as answer:
        received = b"".join(answer.iter_bytes())
    assert b"\n" not in received.replace(b"\r\n", b"")
    *events, done, rest = received.split(b"\r\n\r\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    assert events[::2] == [b": comment"] * (len(events) // 2)
    for number, event in enumerate(events[1::2]):
        number_line, name, data = event.split(b"\r\n")
        assert number_line == f"id: {number}".encode()
        value = json.loads(data.removeprefix(b"data: "))
        assert name == f"event: {value['type']}".encode()
        assert "response" not in value or value["response"]["conversation"] == {"id": conversation.id}


def test_asynchronous_client_takes_turns_in_many_conversations_at_once(stage):
    async def take_turns(client: AsyncOpenAI) -> list[str]:
        conversation = await client.conversations.create()
        first = await client.responses.create(model="echo", conversation=conversation.id, input="one")
        stream = await client.responses.create(model="echo", conversation=conversation.id, input="two", stream=True)
        last = [event async for event in stream][-1]
        return [first.output_text, last.response.output_text]

    async def take_all() -> list[list[str]]:
        async with AsyncOpenAI(base_url=stage.base_url, api_key=stage.service.secret, timeout=SECONDS) as client:
            return await asyncio.gather(*(take_turns(client) for _ in range(20)))

    texts = asyncio.run(take_all())
    assert texts == [[f"I see {count} items. Card 4111111111111111." for count in (1, 3)]] * 20


def start_node(stage, directory, name):
    shutil.copy(SCRIPTS / name, directory)
    environment = os.environ | {"OPENAI_BASE_URL": stage.base_url, "OPENAI_API_KEY": stage.service.secret}
    pipe = subprocess.PIPE
    return subprocess.Popen(["node", name], cwd=directory, env=environment, stdout=pipe, stderr=pipe, text=True)


def test_javascript_client_takes_turns(stage, node_directory):
    with start_node(stage, node_directory, "turns.mjs") as node:
        stdout, stderr = node.communicate(timeout=SECONDS)
    assert node.returncode == 0, stderr
    answers = [f"I see {count} items. Card 4111111111111111." for count in (1, 3)]
    output = json.loads(stdout)
    assert output["answers"] == answers
    assert output["stored"] == ["one", answers[0], "two", answers[1]]
    executed = output["race"].count("fulfilled")
    assert sorted(output["race"]) == ["conversation_locked"] * (4 - executed) + ["fulfilled"] * executed
    assert executed >= 1
    assert len(output["storedInRace"]) == 2 * executed


def test_turns_that_the_javascript_client_aborts_repeats_and_retries_are_stored_once(client, stage, node_directory):
    asked = len(stage.upstream.requests)
    with start_node(stage, node_directory, "aborts.mjs") as node:
        line = node.stdout.readline()  # when the client sends the request again that has timed out
        stage.upstream.released.set()
        stdout, stderr = node.communicate(timeout=SECONDS)
    assert (node.returncode, line) == (0, "retrying\n"), stderr
    output = json.loads(stdout)
    assert output["isAborted"]
    for conversation_id, answer in zip(output["conversations"], output["answers"], strict=True):
        assert stored_texts(client, conversation_id) == ["one", answer]
    assert len(stage.upstream.requests) == asked + 2
