from conversations.models import Conversation, Item, MetadataPair

HELLO = {"role": "user", "content": "Hello!"}


def test_deleted_conversation_is_gone_with_its_items_and_metadata(as_alice, assert_error):
    other_id = as_alice.new_conversation(HELLO, topic="other")
    conversation_id = as_alice.new_conversation(HELLO, topic="demo")
    item_id = as_alice.items(conversation_id)[0]["id"]
    response = as_alice.delete(f"/conversations/{conversation_id}")
    assert response.status_code == 200
    assert list(response.json().items()) == [
        ("id", conversation_id),
        ("object", "conversation.deleted"),
        ("deleted", True),
    ]
    path = f"/conversations/{conversation_id}"
    for response in (
        as_alice.get(path),
        as_alice.post(path, {"metadata": {}}),
        as_alice.delete(path),
        as_alice.get(f"{path}/items"),
        as_alice.post(f"{path}/items", {"items": [HELLO]}),
        as_alice.get(f"{path}/items/{item_id}"),
        as_alice.delete(f"{path}/items/{item_id}"),
    ):
        assert_error(response, 404, f"Conversation with id '{conversation_id}' not found.")
    assert Conversation.objects.get().pk == other_id
    assert (Item.objects.count(), MetadataPair.objects.count()) == (1, 1)


def test_body_and_content_type_of_a_delete_request_are_ignored(as_alice):
    conversation_id = as_alice.new_conversation()
    response = as_alice.client.delete(f"/v1/conversations/{conversation_id}", b"", content_type="application/json")
    assert response.status_code == 200


def test_conversation_of_another_user_is_not_found(as_alice, as_bob, assert_error):
    conversation_id = as_alice.new_conversation()
    response = as_bob.delete(f"/conversations/{conversation_id}")
    assert_error(response, 404, f"Conversation with id '{conversation_id}' not found.")
    assert Conversation.objects.exists()


def test_number_of_queries_does_not_grow_with_the_items(as_alice, django_assert_num_queries):
    # The conversation, BEGIN, its lock, the access log, its metadata, items, texts and records, it itself, COMMIT.
    for count in (1, 20):
        conversation_id = as_alice.new_conversation(*[HELLO] * count)
        with django_assert_num_queries(10):
            as_alice.delete(f"/conversations/{conversation_id}")
