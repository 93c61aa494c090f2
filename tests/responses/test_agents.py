"""The agents SDK in `conversation_id` mode: its tools run in parallel, and the server keeps the history."""

import asyncio
import json
from typing import Any

import pytest
from agents import Agent, OpenAIResponsesModel, RunConfig, Runner, function_tool
from openai import AsyncOpenAI

from tests.responses.items import stored_texts
from tests.waiting import SECONDS


@function_tool
def first() -> str:
    return "1"


@function_tool
def second() -> str:
    return "2"


@pytest.mark.parametrize("is_stream", [False, True])
def test_agent_with_parallel_tools_takes_two_turns(client, stage, is_stream):
    conversation = client.conversations.create()
    before = len(stage.upstream.requests)

    async def run() -> list[str]:
        async with AsyncOpenAI(base_url=stage.base_url, api_key=stage.service.secret, timeout=SECONDS) as asynchronous:
            model = OpenAIResponsesModel(model="agent", openai_client=asynchronous)
            agent = Agent(name="Guide", model=model, tools=[first, second])
            return [await ask(agent, text) for text in ("one", "two")]

    async def ask(agent: Agent[Any], text: str) -> str:
        options = {"conversation_id": conversation.id, "run_config": RunConfig(tracing_disabled=True)}
        if not is_stream:
            return str((await Runner.run(agent, text, **options)).final_output)
        result = Runner.run_streamed(agent, text, **options)
        async for _ in result.stream_events():
            pass
        return str(result.final_output)

    assert asyncio.run(run()) == [f"I see {count} items. Card 4111111111111111." for count in (5, 11)]
    calls = ["function_call"] * 2 + ["function_call_output"] * 2
    texts = [f"I see {count} items. Card 4111111111111111." for count in (5, 11)]
    assert stored_texts(client, conversation.id) == ["one", *calls, texts[0], "two", *calls, texts[1]]
    sent = [request["json"] for request in stage.upstream.requests[before:] if request["path"] == "/v1/responses"]
    assert [len(body["input"]) for body in sent] == [1, 5, 7, 11]
    outputs = [item["output"] for item in sent[-1]["input"] if item["type"] == "function_call_output"]
    assert json.dumps(outputs) == '["1", "2", "1", "2"]'
