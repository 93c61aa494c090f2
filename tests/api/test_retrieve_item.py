import pytest

HELLO = {"role": "user", "content": "Hello!", "id": "msg_1"}


def test_response_is_the_item_itself(as_alice):
    conversation_id = as_alice.new_conversation(HELLO)
    response = as_alice.get(f"/conversations/{conversation_id}/items/msg_1")
    assert response.status_code == 200
    assert list(response.json()) == ["id", "type", "status", "content", "role"]
    assert [response.json()] == as_alice.items(conversation_id)


@pytest.mark.parametrize("item_id", ["msg_none", "bogus", "msg_ü", "x" * 65, "msg_1%00", "MSG_1"])
def test_unknown_item_is_not_found(as_alice, assert_error, item_id):
    conversation_id = as_alice.new_conversation(HELLO)
    response = as_alice.get(f"/conversations/{conversation_id}/items/{item_id}")
    decoded = item_id.replace("%00", "\0")
    assert_error(response, 404, f"Item with id '{decoded}' not found in conversation.")


def test_item_of_another_conversation_is_not_found(as_alice, assert_error):
    as_alice.new_conversation(HELLO)
    response = as_alice.get(f"/conversations/{as_alice.new_conversation()}/items/msg_1")
    assert_error(response, 404, "Item with id 'msg_1' not found in conversation.")


def test_include_reveals_encrypted_reasoning(as_alice):
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "secret"}
    path = f"/conversations/{as_alice.new_conversation(reasoning)}/items/rs_1"
    assert as_alice.get(path).json() == {"id": "rs_1", "type": "reasoning", "summary": []}
    response = as_alice.get(f"{path}?include[]=reasoning.encrypted_content")
    assert response.json()["encrypted_content"] == "secret"


def test_conversation_of_another_user_is_not_found(as_alice, as_bob, assert_error):
    conversation_id = as_alice.new_conversation(HELLO)
    response = as_bob.get(f"/conversations/{conversation_id}/items/msg_1")
    assert_error(response, 404, f"Conversation with id '{conversation_id}' not found.")
