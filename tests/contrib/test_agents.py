"""The Agents SDK's runs with a session that stores their items through the models."""

import asyncio

import pytest
from agents import Agent, RunConfig, Runner, function_tool
from agents.memory import Session, SessionSettings
from agents.testing import ScriptedModel, assistant_message, function_call
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group
from django.db import connections
from openai.types.responses import ResponseReasoningItem

from conversations.contrib.agents import ConversationSession
from conversations.deletion import delete_conversation
from conversations.errors import APIError
from conversations.models import Conversation, Item, ItemText
from tests.sdk.model_outputs import WITHOUT_ID, hosted_calls, reasoning_with_signature, reasoning_with_summary

WITHOUT_TRACING = RunConfig(tracing_disabled=True)


@pytest.fixture
def session(alice):
    return ConversationSession(alice, metadata={"topic": "weather"})


@function_tool
def weather(city: str) -> str:
    return f"rain in {city}"


@function_tool(needs_approval=True)
def umbrella(colour: str) -> str:
    return f"a {colour} umbrella"


def run(agent, text, session):
    return async_to_sync(Runner.run)(agent, text, session=session, run_config=WITHOUT_TRACING)


def add(session, *items):
    async_to_sync(session.add_items)(list(items))


def get(session, limit=None):
    return async_to_sync(session.get_items)(limit)


def messages(*texts):
    return [{"role": "user", "content": text} for text in texts]


def texts(items):
    return [item["content"][0]["text"] for item in items]


def test_session_implements_the_protocol_of_the_sdk(session):
    assert isinstance(session, Session)


def test_new_session_stores_its_conversation_with_the_first_items(session, alice):
    assert get(session) == []
    add(session)
    assert not Conversation.objects.exists()
    add(session, *messages("one", "two"))
    add(session, *messages("three"))
    conversation = Conversation.objects.get()
    assert (conversation.pk, conversation.owner, conversation.metadata) == (
        session.session_id,
        alice,
        {"topic": "weather"},
    )
    assert conversation.metadata_pairs.count() == 1
    assert conversation.item_count == 3
    assert texts(get(session)) == ["one", "two", "three"]


def test_limit_returns_the_last_items_in_order(session, alice):
    assert get(session, 2) == []
    add(session, *messages("one", "two", "three"))
    assert texts(get(session, 2)) == ["two", "three"]
    assert texts(get(session, 9)) == ["one", "two", "three"]
    assert get(session, 0) == []
    short = ConversationSession(alice, conversation_id=session.session_id, session_settings=SessionSettings(limit=1))
    assert texts(get(short)) == ["three"]
    assert texts(get(short, 2)) == ["two", "three"]


def test_pop_deletes_and_returns_the_last_item(session):
    assert async_to_sync(session.pop_item)() is None
    add(session, *messages("one"), {"type": "reasoning", "summary": []})
    assert async_to_sync(session.pop_item)() == {"type": "reasoning", "summary": []}
    assert texts([async_to_sync(session.pop_item)()]) == ["one"]
    assert async_to_sync(session.pop_item)() is None
    assert Conversation.objects.get().item_count == 0


def test_reasoning_that_is_not_encrypted_is_stored_and_not_replayed(session):
    model = ScriptedModel(
        [
            [
                ResponseReasoningItem(id=WITHOUT_ID, type="reasoning", summary=[]),
                assistant_message("Hi!", item_id=WITHOUT_ID),
            ]
        ]
    )
    run(Agent(name="Assistant", model=model), "Hello!", session)
    assert list(Item.objects.values_list("type", flat=True)) == ["message", "reasoning", "message"]
    assert texts(get(session)) == ["Hello!", "Hi!"]


def test_cleared_session_keeps_its_conversation(session, settings):
    settings.CONVERSATIONS_FULL_TEXT = True
    async_to_sync(session.clear_session)()
    add(session, *messages("one", "two"))
    assert ItemText.objects.count() == 2
    async_to_sync(session.clear_session)()
    assert (get(session), ItemText.objects.count()) == ([], 0)
    add(session, *messages("three"))
    conversation = Conversation.objects.get()
    assert (conversation.pk, conversation.metadata) == (session.session_id, {"topic": "weather"})
    assert (conversation.item_count, conversation.last_position) == (1, 3)
    assert texts(get(session)) == ["three"]


def test_session_of_another_users_conversation_finds_none(session, bob):
    add(session, *messages("one"))
    stranger = ConversationSession(bob, conversation_id=session.session_id)
    calls = [
        (stranger.get_items,),
        (stranger.add_items, messages("two")),
        (stranger.pop_item,),
        (stranger.clear_session,),
    ]
    for method, *arguments in calls:
        with pytest.raises(APIError, match=f"Conversation with id '{session.session_id}' not found."):
            async_to_sync(method)(*arguments)
    assert texts(get(session)) == ["one"]


def test_setting_lets_a_team_share_a_session(session, alice, bob, settings):
    settings.CONVERSATIONS_VISIBLE_TO = "tests.visibility.visible_to_group"
    Group.objects.create(name="team").user_set.add(alice, bob)
    add(session, *messages("one"))
    shared = ConversationSession(bob, conversation_id=session.session_id)
    add(shared, *messages("two"))
    assert texts(get(session)) == texts(get(shared)) == ["one", "two"]
    assert Conversation.objects.get().owner == alice


def test_session_of_a_deleted_conversation_raises_an_error(session):
    add(session, *messages("one"))
    delete_conversation(Conversation.objects.get())
    with pytest.raises(APIError, match="not found"):
        add(session, *messages("two"))
    assert not Conversation.objects.exists()


def test_metadata_is_only_for_a_new_conversation(alice):
    with pytest.raises(TypeError, match="replace_metadata"):
        ConversationSession(alice, conversation_id="conv_1", metadata={})
    with pytest.raises(APIError, match=r"Invalid type for 'metadata\.n'"):
        ConversationSession(alice, metadata={"n": 1})


def test_invalid_items_store_nothing(session):
    with pytest.raises(APIError, match=r"items\[1\].content"):
        add(session, *messages("one"), {"role": "user"})
    assert not Conversation.objects.exists()
    assert get(session) == []


def test_items_get_new_ids_except_where_others_refer_to_them(session):
    request = {"type": "mcp_approval_request", "id": "mcpr_1", "name": "n", "arguments": "{}", "server_label": "s"}
    add(session, {"id": "msg_1", "provider_data": {}, **messages("one")[0]}, request)
    add(session, {"id": "msg_1", **messages("two")[0]}, {**request, "id": WITHOUT_ID})
    first, kept, second, other = Item.objects.order_by("position")
    assert "msg_1" not in (first.item_id, second.item_id)
    assert kept.item_id == "mcpr_1"
    assert other.item_id.startswith("mcpr_")
    assert "provider_data" not in first.data
    with pytest.raises(APIError, match="already in"):
        add(session, {"type": "item_reference", "id": "mcpr_1"})


def test_concurrent_first_appends_share_one_conversation(session):
    async def append_all():
        await asyncio.gather(*(session.add_items(messages(str(number))) for number in range(5)))

    async_to_sync(append_all)()
    assert Conversation.objects.count() == 1
    assert sorted(texts(get(session))) == ["0", "1", "2", "3", "4"]


def test_run_stores_its_turns_for_the_next_run(session, alice):
    model = ScriptedModel(
        [
            [
                reasoning_with_summary("The weather is asked for.", id="rs_1"),
                function_call("weather", '{"city": "Köln"}', item_id="fc_1", call_id="call_1"),
            ],
            [assistant_message("It rains in Köln.", item_id="msg_1")],
            [assistant_message("Yes, take one.", item_id="msg_1")],
        ]
    )
    agent = Agent(name="Assistant", model=model, tools=[weather])
    assert run(agent, "What is the weather in Köln?", session).final_output == "It rains in Köln."
    stored = Conversation.objects.get().items.values_list("type", flat=True)
    assert list(stored) == ["message", "reasoning", "function_call", "function_call_output", "message"]

    resumed = ConversationSession(alice, conversation_id=session.session_id)
    history = get(resumed)
    assert run(agent, "Do I need an umbrella?", resumed).final_output == "Yes, take one."
    assert model.last_call.input[:-1] == history
    assert model.last_call.input[-1]["content"] == "Do I need an umbrella?"
    assert texts(get(resumed, 2)) == ["Do I need an umbrella?", "Yes, take one."]
    assert Conversation.objects.get().item_count == 7


def test_run_with_hosted_tools_and_items_without_ids_is_stored_and_replayed(session):
    calls = [
        function_call("weather", {"city": str(number)}, call_id=f"call_{number}", item_id=WITHOUT_ID)
        for number in range(30)
    ]
    hosted = hosted_calls("parallel")
    model = ScriptedModel(
        [
            [reasoning_with_signature("Ask for all."), *hosted, *calls],
            [assistant_message("It rains everywhere.", item_id=WITHOUT_ID)],
            [assistant_message("Thirty.", item_id=WITHOUT_ID)],
        ]
    )
    agent = Agent(name="Assistant", model=model, tools=[weather])
    run(agent, "What is the weather?", session)
    history = get(session)
    assert len(history) == 1 + 1 + len(hosted) + 2 * len(calls) + 1
    run(agent, "In how many cities?", session)
    assert model.last_call.input[:-1] == history


def test_run_that_waits_for_an_approval_is_continued_with_the_session(session):
    model = ScriptedModel(
        [
            [function_call("umbrella", {"colour": "red"}, call_id="call_1", item_id="fc_1")],
            [assistant_message("Here it is.", item_id="msg_1")],
        ]
    )
    agent = Agent(name="Assistant", model=model, tools=[umbrella])
    waiting = run(agent, "An umbrella, please.", session)
    state = waiting.to_state()
    state.approve(waiting.interruptions[0])
    result = async_to_sync(Runner.run)(agent, state, session=session, run_config=WITHOUT_TRACING)
    assert result.final_output == "Here it is."
    assert [item.get("type") for item in get(session)] == [
        "message",
        "function_call",
        "function_call_output",
        "message",
    ]


def test_streamed_run_is_stored(session):
    async def stream():
        agent = Agent(name="Assistant", model=ScriptedModel([[assistant_message("Hi!", item_id="msg_1")]]))
        result = Runner.run_streamed(agent, "Hello!", session=session, run_config=WITHOUT_TRACING)
        async for _ in result.stream_events():
            pass

    async_to_sync(stream)()
    assert texts(get(session)) == ["Hello!", "Hi!"]


@pytest.mark.django_db(transaction=True)
def test_session_works_in_a_plain_event_loop(alice):
    async def converse():
        session = ConversationSession(alice)
        agent = Agent(name="Assistant", model=ScriptedModel([[assistant_message("Hi!", item_id="msg_1")]]))
        await Runner.run(agent, "Hello!", session=session, run_config=WITHOUT_TRACING)
        items = await session.get_items()
        await sync_to_async(connections.close_all)()  # PostgreSQL can't drop a database with connections.
        return items

    assert texts(asyncio.run(converse())) == ["Hello!", "Hi!"]
