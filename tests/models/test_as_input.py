"""The input of a model call that a conversation returns."""

import pytest

from conversations.models import Conversation
from tests.schema.golden import STORED

CALL = {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"}
REQUEST = {"type": "mcp_approval_request", "id": "mcpr_1", "name": "look_up", "arguments": "{}", "server_label": "s"}


def test_input_is_the_items_in_order_with_everything_that_include_hides(alice):
    picture = {"type": "input_image", "image_url": "https://example.com/1.png", "detail": "auto", "file_id": None}
    conversation = Conversation.objects.create_with_items(owner=alice, items=[{"role": "user", "content": [picture]}])
    conversation.add_items([CALL, {"type": "reasoning", "summary": [], "encrypted_content": "secret"}])
    message, call, reasoning = conversation.as_input()
    assert message == {"type": "message", "status": "completed", "content": [picture], "role": "user"}
    assert (call["call_id"], reasoning["encrypted_content"]) == ("call_1", "secret")
    assert not any("id" in item for item in (message, call, reasoning))
    assert [item["id"] for item in conversation.as_input(ids=True)] == [
        item.item_id for item in conversation.items.all()
    ]


def test_id_that_pairs_an_approval_with_its_request_stays(alice):
    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    conversation = Conversation.objects.create_with_items(owner=alice, items=[REQUEST, answer])
    request, response = conversation.as_input()
    assert request["id"] == response["approval_request_id"] == "mcpr_1"
    assert "id" not in response


@pytest.mark.parametrize("name", [name for name in STORED if not name.startswith("item_reference")])
def test_input_of_a_conversation_can_be_stored_in_another_one(name, alice):
    first = Conversation.objects.create_with_items(owner=alice, items=[STORED[name]["sent"]])
    second = Conversation.objects.create_with_items(owner=alice, items=first.as_input())
    assert second.as_input() == first.as_input()


def test_reasoning_that_only_an_id_leads_to_is_left_out_with_it(alice):
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": []}
    conversation = Conversation.objects.create_with_items(owner=alice, items=[reasoning, CALL])
    assert [item["type"] for item in conversation.as_input()] == ["function_call"]
    assert [item["type"] for item in conversation.as_input(ids=True)] == ["reasoning", "function_call"]


def test_input_takes_one_query(alice, django_assert_num_queries):
    conversation = Conversation.objects.create_with_items(owner=alice, items=[CALL] * 30)
    with django_assert_num_queries(1):
        assert len(conversation.as_input()) == 30
