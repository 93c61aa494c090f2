"""The Agents SDK's session, which stores the items of its runs in a conversation."""

import pytest
from agents import (
    Agent,
    Computer,
    ComputerTool,
    OpenAIConversationsSession,
    ProgrammaticToolCallingTool,
    RunConfig,
    Runner,
    function_tool,
)
from agents.testing import ScriptedModel, assistant_message, function_call
from openai import NotFoundError
from openai.types.responses.response_output_item import Program, ProgramOutput

from tests.sdk.model_outputs import (
    WITHOUT_ID,
    chat_answer,
    computer_call,
    hosted_calls,
    reasoning_with_signature,
    reasoning_with_summary,
    web_search,
)

WITHOUT_TRACING = RunConfig(tracing_disabled=True)


@pytest.fixture
def async_client(endpoint, run):
    client = endpoint.async_client()
    yield client
    run(client.close())


@pytest.fixture
def session(async_client):
    return OpenAIConversationsSession(openai_client=async_client)


def user_messages(*texts):
    return [{"role": "user", "content": text} for text in texts]


def texts(items):
    return [item["content"][0]["text"] for item in items]


def without(items, *names):
    return [{name: value for name, value in item.items() if name not in names} for item in items]


def test_a_new_session_is_an_empty_conversation(session, async_client, run):
    assert run(session.get_items()) == []
    assert run(async_client.conversations.retrieve(session.session_id)).metadata == {}


def test_added_items_are_returned_in_order(session, run):
    run(session.add_items(user_messages("one", "two")))
    run(session.add_items(user_messages("three")))
    assert texts(run(session.get_items())) == ["one", "two", "three"]


def test_limit_returns_the_last_items_in_order(session, run):
    run(session.add_items(user_messages("one", "two", "three")))
    assert texts(run(session.get_items(limit=2))) == ["two", "three"]
    assert texts(run(session.get_items(limit=200))) == ["one", "two", "three"]
    assert run(session.get_items(limit=0)) == []


def test_session_stores_and_returns_more_items_than_a_page(session, run):
    words = [str(number) for number in range(110)]
    run(session.add_items(user_messages(*words[:15])))
    run(session.add_items(user_messages(*words[15:30])))
    run(session.add_items(user_messages(*words[30:])))
    assert texts(run(session.get_items())) == words
    assert texts(run(session.get_items(limit=25))) == words[-25:]


def test_pop_removes_and_returns_the_last_item(session, run):
    run(session.add_items(user_messages("one", "two")))
    assert texts([run(session.pop_item())]) == ["two"]
    assert texts(run(session.get_items())) == ["one"]
    run(session.pop_item())
    assert run(session.pop_item()) is None


def test_a_cleared_session_starts_a_new_conversation(session, async_client, run):
    run(session.add_items(user_messages("one")))
    cleared = session.session_id
    run(session.clear_session())
    with pytest.raises(NotFoundError):
        run(async_client.conversations.retrieve(cleared))
    assert run(session.get_items()) == []
    assert session.session_id != cleared


def test_session_can_be_resumed_by_its_id(session, async_client, run):
    run(session.add_items(user_messages("one")))
    resumed = OpenAIConversationsSession(openai_client=async_client, conversation_id=session.session_id)
    assert texts(run(resumed.get_items())) == ["one"]


def test_items_of_a_session_can_be_added_to_another(session, async_client, run):
    run(session.add_items([*user_messages("one"), {"role": "assistant", "content": "two"}]))
    copy = OpenAIConversationsSession(openai_client=async_client)
    run(copy.add_items(run(session.get_items())))
    assert run(copy.get_items()) == run(session.get_items())


@function_tool
def weather(city: str) -> str:
    return f"rain in {city}"


def test_run_with_reasoning_and_hosted_tools_of_a_model_without_ids_stores_every_item(session, run):
    model = ScriptedModel(
        [
            [
                reasoning_with_summary("The weather is asked for."),
                web_search(id="ws_1", status="incomplete"),
                Program(id="cm_123", type="program", call_id="call_2", code="1 + 1", fingerprint="f"),
                ProgramOutput(id="cmo_123", type="program_output", call_id="call_2", result="2", status="completed"),
                assistant_message("It rains in Köln.", item_id=WITHOUT_ID),
            ]
        ]
    )
    agent = Agent(name="Assistant", model=model, tools=[ProgrammaticToolCallingTool()])
    run(Runner.run(agent, "What is the weather in Köln?", session=session, run_config=WITHOUT_TRACING))
    stored = run(session.get_items())
    assert [(item["type"], item["id"].partition("_")[0]) for item in stored] == [
        ("message", "msg"),
        ("reasoning", "rs"),
        ("web_search_call", "ws"),
        ("program", "cm"),
        ("program_output", "cmo"),
        ("message", "msg"),
    ]


def test_reasoning_of_another_providers_model_is_stored(session, async_client, run):
    model = ScriptedModel(
        [chat_answer("It rains.", thinking="Look outside."), chat_answer("Yes.", thinking="It rains.")]
    )
    agent = Agent(name="Assistant", model=model)
    for question in ("What is the weather?", "Do I need an umbrella?"):
        run(Runner.run(agent, question, session=session, run_config=WITHOUT_TRACING))
    stored = run(session.get_items())
    assert [item["type"] for item in stored] == ["message", "reasoning", "message"] * 2
    assert [item["content"][0]["text"] for item in stored] == [
        "What is the weather?",
        "Look outside.",
        "It rains.",
        "Do I need an umbrella?",
        "It rains.",
        "Yes.",
    ]
    reasoning = async_client.conversations.items.retrieve(
        stored[1]["id"], conversation_id=session.session_id, include=["reasoning.encrypted_content"]
    )
    assert run(reasoning).encrypted_content == "signature of Look outside."


class Screen(Computer):
    """A computer that can only be looked at."""

    def screenshot(self):
        return "aGVsbG8="

    def _refuse(self, *args):
        raise NotImplementedError

    click = double_click = drag = keypress = move = scroll = type = wait = _refuse


@pytest.mark.parametrize("call_id", ["cu_1", WITHOUT_ID])
def test_computer_call_is_stored_with_its_screenshot(session, async_client, run, call_id):
    model = ScriptedModel(
        [[computer_call(id=call_id, call_id="call_1")], [assistant_message("It is dark.", item_id=WITHOUT_ID)]]
    )
    agent = Agent(name="Assistant", model=model, tools=[ComputerTool(Screen())])
    run(Runner.run(agent, "What is on the screen?", session=session, run_config=WITHOUT_TRACING))
    stored = run(session.get_items())
    assert [item["type"] for item in stored] == ["message", "computer_call", "computer_call_output", "message"]
    assert stored[1]["id"].startswith("cu_")
    assert stored[1]["call_id"] == stored[2]["call_id"] == "call_1"
    output = async_client.conversations.items.retrieve(
        stored[2]["id"],
        conversation_id=session.session_id,
        include=["computer_call_output.output.image_url"],
    )
    assert run(output).output.image_url == "data:image/png;base64,aGVsbG8="


def test_run_stores_its_turns_for_the_next_run(session, async_client, run):
    model = ScriptedModel(
        [
            [
                reasoning_with_summary("The weather is asked for.", id="rs_1"),
                function_call("weather", '{"city": "Köln"}', item_id="fc_1", call_id="call_1"),
            ],
            [assistant_message("It rains in Köln.", item_id="msg_1")],
            [assistant_message("Yes, take one.", item_id="msg_2")],
        ]
    )
    agent = Agent(name="Assistant", model=model, tools=[weather])

    first = run(Runner.run(agent, "What is the weather in Köln?", session=session, run_config=WITHOUT_TRACING))
    assert first.final_output == "It rains in Köln."
    stored = run(session.get_items())
    assert [item["type"] for item in stored] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
        "message",
    ]
    assert stored[1]["summary"] == [{"type": "summary_text", "text": "The weather is asked for."}]
    assert (stored[2]["name"], stored[2]["arguments"], stored[2]["call_id"]) == (
        "weather",
        '{"city": "Köln"}',
        "call_1",
    )
    assert (stored[3]["call_id"], stored[3]["output"]) == ("call_1", "rain in Köln")
    assert [stored[0]["role"], stored[4]["role"]] == ["user", "assistant"]

    second = run(Runner.run(agent, "Do I need an umbrella?", session=session, run_config=WITHOUT_TRACING))
    assert second.final_output == "Yes, take one."
    last_input = model.last_call.input
    user_items = [item for item in last_input if item.get("role") == "user"]
    assert user_items[0]["content"][0]["text"] == "What is the weather in Köln?"
    assert user_items[1]["content"] == "Do I need an umbrella?"
    assert [item["output"] for item in last_input if item.get("type") == "function_call_output"] == ["rain in Köln"]
    assistant_items = [item for item in last_input if item.get("role") == "assistant"]
    assert texts(assistant_items) == ["It rains in Köln."]

    reasoning = async_client.conversations.items.retrieve(
        stored[1]["id"], conversation_id=session.session_id, include=["reasoning.encrypted_content"]
    )
    assert run(reasoning).encrypted_content == "gAAAA"

    run(session.clear_session())
    assert run(session.get_items()) == []


def test_run_of_many_turns_is_stored_completely(session, run):
    model = ScriptedModel([[assistant_message(f"answer {number}", item_id=f"msg_{number}")] for number in range(12)])
    agent = Agent(name="Assistant", model=model)
    for number in range(12):
        run(Runner.run(agent, f"question {number}", session=session, run_config=WITHOUT_TRACING))
    expected = [text for number in range(12) for text in (f"question {number}", f"answer {number}")]
    assert texts(run(session.get_items())) == expected
    assert texts(model.last_call.input[:22]) == expected[:22]


@function_tool
def list_linux_systems(machine: int) -> str:
    # wsl.exe writes UTF-16, and this is how a program reads it that expects ASCII.
    return f"machine {machine}: W\0s\0l\0"


async def run_streamed(agent, text, session):
    result = Runner.run_streamed(agent, text, session=session, run_config=WITHOUT_TRACING)
    async for _ in result.stream_events():
        pass


def test_run_with_thirty_parallel_calls_is_read_back_and_replayed_completely(session, async_client, run):
    calls = [
        function_call("list_linux_systems", {"machine": number}, call_id=f"call_{number}", item_id=WITHOUT_ID)
        for number in range(30)
    ]
    hosted = hosted_calls("parallel")
    model = ScriptedModel(
        [
            [reasoning_with_signature("Ask all machines."), *hosted, *calls],
            [reasoning_with_signature("All have answered."), assistant_message("All have WSL.", item_id=WITHOUT_ID)],
            [assistant_message("Thirty.", item_id=WITHOUT_ID)],
        ]
    )
    agent = Agent(name="Assistant", model=model, tools=[list_linux_systems])
    question = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Who has WSL?"}]}
    first = run(Runner.run(agent, [question], session=session, run_config=WITHOUT_TRACING))
    produced = without(first.to_input_list(), "id")
    assert len(produced) == 1 + 1 + len(hosted) + 2 * len(calls) + 2

    resumed = OpenAIConversationsSession(openai_client=async_client, conversation_id=session.session_id)
    history = run(resumed.get_items())
    read = zip(history, without(produced, "encrypted_content"), strict=True)
    assert [item | members for item, members in read] == history
    run(run_streamed(agent, "How many?", resumed))
    assert without(model.last_call.input[:-1], "id") == without(history, "id")
    assert texts(run(resumed.get_items(limit=2))) == ["How many?", "Thirty."]

    async def list_signatures():
        items = async_client.conversations.items.list(
            session.session_id, order="asc", include=["reasoning.encrypted_content"]
        )
        return [item.encrypted_content async for item in items if item.type == "reasoning"]

    assert run(list_signatures()) == ["signature of Ask all machines.", "signature of All have answered."]
