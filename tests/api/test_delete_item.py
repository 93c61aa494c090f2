from conversations.models import Conversation, Item

HELLO = {"role": "user", "content": "Hello!"}


def test_response_is_the_conversation(as_alice):
    created = as_alice.post("/conversations", {"metadata": {"a": "b"}, "items": [{**HELLO, "id": "msg_1"}, HELLO]})
    conversation_id = created.json()["id"]
    response = as_alice.delete(f"/conversations/{conversation_id}/items/msg_1")
    assert (response.status_code, response.content) == (200, created.content)
    assert "msg_1" not in [item["id"] for item in as_alice.items(conversation_id)]
    assert Conversation.objects.get().item_count == 1


def test_deleting_an_item_twice_is_not_found(as_alice, assert_error):
    conversation_id = as_alice.new_conversation({**HELLO, "id": "msg_1"})
    as_alice.delete(f"/conversations/{conversation_id}/items/msg_1")
    response = as_alice.delete(f"/conversations/{conversation_id}/items/msg_1")
    assert_error(response, 404, "Item with id 'msg_1' not found in conversation.")
    assert Conversation.objects.get().item_count == 0


def test_item_is_not_deleted_from_other_conversations(as_alice):
    first = as_alice.new_conversation({**HELLO, "id": "msg_1"})
    second = as_alice.new_conversation({"id": "msg_1"})
    as_alice.delete(f"/conversations/{first}/items/msg_1")
    assert [item["id"] for item in as_alice.items(second)] == ["msg_1"]


def test_positions_are_never_reused(as_alice):
    conversation_id = as_alice.new_conversation({**HELLO, "id": "msg_1"}, {**HELLO, "id": "msg_2"})
    as_alice.delete(f"/conversations/{conversation_id}/items/msg_2")
    as_alice.post(f"/conversations/{conversation_id}/items", {"items": [{**HELLO, "id": "msg_2"}]})
    assert list(Item.objects.order_by("position").values_list("item_id", "position")) == [("msg_1", 1), ("msg_2", 3)]


def test_conversation_of_another_user_is_not_found(as_alice, as_bob, assert_error):
    conversation_id = as_alice.new_conversation({**HELLO, "id": "msg_1"})
    response = as_bob.delete(f"/conversations/{conversation_id}/items/msg_1")
    assert_error(response, 404, f"Conversation with id '{conversation_id}' not found.")
    assert Item.objects.exists()
