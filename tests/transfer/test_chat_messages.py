import json

import pytest

from conversations.models import Conversation
from conversations.transfer import exporter
from conversations.transfer.exporter import Export
from tests.schema.golden import ACCEPTED

CALL = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Köln"}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
CHAT_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Köln"}'},
}
CHAT_OUTPUT = {"role": "tool", "tool_call_id": "call_1", "content": "rain"}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


def numbered(item, number):
    return item | {"call_id": f"call_{number}"}


@pytest.fixture
def messages_of(alice):
    """Function that returns the exported messages of a conversation with these items, and the omissions."""

    def export(*items):
        Conversation.objects.create_with_items(owner=alice, items=items)
        export = Export(Conversation.objects.all(), format="messages")
        lines = b"".join(export).splitlines()
        return [message for line in lines for message in json.loads(line)["messages"]], dict(export.file.omissions)

    return export


def test_messages_keep_their_roles_and_texts(messages_of):
    items = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        user([{"type": "input_text", "text": "One."}, {"type": "input_text", "text": "Two."}]),
        assistant("Grüße 🎉"),
    ]
    assert messages_of(*items) == (
        [
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": "Be kind."},
            user([{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]),
            assistant("Grüße 🎉"),
        ],
        {},
    )


def test_images_of_users_stay_and_files_are_left_out(messages_of):
    parts = [
        {"type": "input_image", "image_url": PIXEL, "detail": "low"},
        {"type": "input_file", "file_id": "file_1"},
        {"type": "input_image", "file_id": "file_2", "detail": "auto"},
    ]
    messages, omissions = messages_of(user(parts), user(parts[1:2]), assistant("Hi!"))
    assert messages == [
        user([{"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]),
        assistant("Hi!"),
    ]
    assert omissions == {"input_file in message": 2, "input_image in message": 1, "message": 1}


def test_refusal_stays_a_refusal(messages_of):
    refusal = [{"type": "refusal", "refusal": "I can't."}]
    assert messages_of(user("Hack!"), assistant(refusal))[0][1] == {"role": "assistant", "refusal": "I can't."}


def test_parallel_calls_follow_the_text_before_them_in_one_message(messages_of):
    messages, omissions = messages_of(
        user("Weather?"),
        assistant("I'll look."),
        CALL,
        numbered(CALL, 2),
        numbered(OUTPUT, 2),
        OUTPUT,
        numbered(CALL, 3),
        numbered(OUTPUT, 3),
        assistant("Rain."),
    )
    assert messages == [
        user("Weather?"),
        {**assistant("I'll look."), "tool_calls": [CHAT_CALL, CHAT_CALL | {"id": "call_2"}]},
        CHAT_OUTPUT,
        CHAT_OUTPUT | {"tool_call_id": "call_2"},
        {"role": "assistant", "tool_calls": [CHAT_CALL | {"id": "call_3"}]},
        CHAT_OUTPUT | {"tool_call_id": "call_3"},
        assistant("Rain."),
    ]
    assert omissions == {}


def test_text_between_a_call_and_its_output_joins_the_call(messages_of):
    messages, _ = messages_of(user("Weather?"), CALL, assistant("I'll look."), OUTPUT, assistant("Rain."))
    assert messages[1:3] == [{**assistant("I'll look."), "tool_calls": [CHAT_CALL]}, CHAT_OUTPUT]


def test_custom_tools_and_outputs_in_parts_are_mapped(messages_of):
    call = {"type": "custom_tool_call", "call_id": "call_1", "name": "sql", "input": "SELECT 1"}
    parts = [{"type": "input_text", "text": "1"}, {"type": "input_image", "image_url": PIXEL, "detail": "auto"}]
    output = {"type": "custom_tool_call_output", "call_id": "call_1", "output": parts}
    messages, omissions = messages_of(call, output)
    custom = {"id": "call_1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    assert messages == [{"role": "assistant", "tool_calls": [custom]}, CHAT_OUTPUT | {"content": "1"}]
    assert omissions == {"input_image in custom_tool_call_output": 1}


def test_calls_and_outputs_without_each_other_are_left_out(messages_of):
    messages, omissions = messages_of(
        OUTPUT, CALL, numbered(CALL, 2), numbered(OUTPUT, 2), user("Stop."), numbered(CALL, 3), user("Go."), OUTPUT
    )
    assert messages == [
        {"role": "assistant", "tool_calls": [CHAT_CALL | {"id": "call_2"}]},
        CHAT_OUTPUT | {"tool_call_id": "call_2"},
        user("Stop."),
        user("Go."),
    ]
    assert omissions == {"function_call_output": 2, "call without an output": 2}


def test_calls_at_the_end_stay_without_outputs(messages_of):
    assert messages_of(user("Weather?"), CALL)[0] == [
        user("Weather?"),
        {"role": "assistant", "tool_calls": [CHAT_CALL]},
    ]


def test_reasoning_between_calls_is_left_out_and_counted(messages_of):
    reasoning = {"type": "reasoning", "summary": [], "encrypted_content": "x"}
    messages, omissions = messages_of(user("Weather?"), reasoning, CALL, reasoning, numbered(CALL, 2))
    assert [call["id"] for call in messages[1]["tool_calls"]] == ["call_1", "call_2"]
    assert omissions == {"reasoning": 2}


@pytest.mark.parametrize("size", [1, 2, 100])
def test_each_conversation_with_messages_has_a_line(size, alice, monkeypatch):
    monkeypatch.setattr(exporter, "ITEMS_PER_QUERY", size)
    for items in ([user("1"), CALL, OUTPUT, assistant("2")], [], [OUTPUT], [user("3"), CALL]):
        Conversation.objects.create_with_items(owner=alice, items=items)
    export = Export(Conversation.objects.all(), format="messages")
    lines = [json.loads(line)["messages"] for line in b"".join(export).splitlines()]
    assert [[message["role"] for message in line] for line in lines] == [
        ["user", "assistant", "tool", "assistant"],
        ["user", "assistant"],
    ]


def test_every_item_type_is_mapped_or_counted(alice):
    items = [case["sent"] for name, case in ACCEPTED.items() if not name.startswith("item_reference")]
    for item in items:
        Conversation.objects.create_with_items(owner=alice, items=[item])
    export = Export(Conversation.objects.all(), format="messages")
    for line in b"".join(export).splitlines():
        assert all(
            message["role"] in ("system", "user", "assistant", "tool") for message in json.loads(line)["messages"]
        )
    assert export.file.omissions["web_search_call"]


def test_conversations_without_a_schema_are_exported(alice):
    odd = [{"type": "message", "role": "user", "content": content} for content in ("text", 5, [5, {}])]
    calls = [{"type": "function_call", "id": "fc_1"}, {"type": "function_call_output", "id": "fc_2", "call_id": [1]}]
    for item in (*odd, *calls):
        Conversation.objects.create_with_items(owner=alice, items=[item], validate=False)
    export = Export(Conversation.objects.all(), format="messages")
    assert b"".join(export) == b'{"messages":[{"role":"user","content":"text"}]}\n'
