"""Items as `model_dump()` of the classes in OpenAI's Python client writes them: with null for each member not set."""

from contextlib import suppress
from typing import get_args

import pytest
from openai.types.chat import ChatCompletionMessage
from openai.types.conversations import ConversationItem
from openai.types.responses import ResponseItem, ResponseOutputItem
from pydantic import ValidationError

from conversations.errors import APIError
from conversations.schema.items import ITEM_TYPES, validate_items
from tests.schema.golden import MINTED, STORED

UNIONS = {"ConversationItem": ConversationItem, "ResponseItem": ResponseItem, "ResponseOutputItem": ResponseOutputItem}
CLASSES = {f"{name}-{cls.__name__}": cls for name, union in UNIONS.items() for cls in get_args(get_args(union)[0])}
CHAT_MEMBERS = ("annotations", "audio", "function_call", "name", "refusal", "tool_call_id", "tool_calls")


def item_types(cls):
    return get_args(cls.model_fields["type"].annotation)


def instances(cls):
    """Yield each golden item that the class can represent, as JSON and as an instance."""
    for case in STORED.values():
        item = {"status": "completed"} | case["returned"]
        if item["type"] in item_types(cls):
            # No class has the values that are newer than this client, and some have only input or only output messages.
            with suppress(ValidationError):
                yield item, cls.model_validate(item)


def without_nulls(value):
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    return [without_nulls(entry) for entry in value] if isinstance(value, list) else value


def test_client_has_a_class_for_every_item_type_that_is_stored():
    types = {item_type for cls in CLASSES.values() for item_type in item_types(cls)}
    assert types == ITEM_TYPES.keys() - {"compaction_trigger", "item_reference"}


@pytest.mark.parametrize("by_alias", [False, True])
@pytest.mark.parametrize("name", CLASSES)
def test_dumped_item_is_accepted_and_keeps_every_value(name, by_alias):
    dumps = [(item, instance.model_dump(mode="json", by_alias=by_alias)) for item, instance in instances(CLASSES[name])]
    assert dumps
    for item, dump in dumps:
        has_id = item["id"] != MINTED
        [validated] = validate_items([dump if has_id else dump | {"id": None}])
        assert without_nulls(validated | {"id": item["id"]}) == without_nulls(item)


def test_null_members_of_a_dumped_chat_message_are_dropped():
    message = ChatCompletionMessage(role="assistant", content="Hello!").model_dump()
    assert {name for name, value in message.items() if value is None} <= set(CHAT_MEMBERS)
    sent = {"role": "assistant", "content": "Hello!"}
    assert validate_items([message | dict.fromkeys(CHAT_MEMBERS)]) == validate_items([sent])


@pytest.mark.parametrize(
    ("member", "value", "replacement"),
    [
        ("tool_calls", [], "each call as an item of type 'function_call'"),
        ("tool_calls", [{"id": "call_1", "type": "function"}], "each call as an item of type 'function_call'"),
        ("function_call", {"name": "f", "arguments": ""}, "the call as an item of type 'function_call'"),
        ("tool_call_id", "call_1", "the output as an item of type 'function_call_output'"),
        ("refusal", "No.", "it as a content part of type 'refusal'"),
    ],
)
@pytest.mark.parametrize("message", [{"role": "assistant", "content": None}, {"role": "tool", "content": "42"}])
def test_chat_member_is_refused_by_name_with_the_item_to_send_instead(message, member, value, replacement):
    with pytest.raises(APIError) as raised:
        validate_items([{"role": "user", "content": "hi"}, message | {member: value}])
    assert raised.value.message == (
        f"Unknown parameter: 'items[1].{member}'. Only messages of the Chat Completions API have it. "
        f"Send {replacement} instead."
    )
    assert (raised.value.param, raised.value.code) == (f"items[1].{member}", "unknown_parameter")


def test_chat_members_of_items_other_than_messages_are_kept():
    item = {"type": "program", "call_id": "call_1", "code": "", "fingerprint": "", "tool_calls": []}
    assert validate_items([item]) == [item]


@pytest.mark.parametrize("role", ["user", "system", "developer", "assistant"])
def test_message_of_any_role_may_have_a_null_phase(role):
    [message] = validate_items([{"role": role, "content": "hi", "phase": None}])
    assert message["phase"] is None
