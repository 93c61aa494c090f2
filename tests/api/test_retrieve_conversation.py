def test_retrieved_conversation_equals_the_created_one(as_alice):
    created = as_alice.post("/conversations", {"metadata": {"topic": "demo"}})
    response = as_alice.get(f"/conversations/{created.json()['id']}")
    assert (response.status_code, response.content) == (200, created.content)


def test_response_body_is_formatted_like_openais(as_alice):
    response = as_alice.get(f"/conversations/{as_alice.new_conversation(topic='demo')}")
    assert response.content.startswith(b'{\n  "id": "conv_')
    assert response.content.endswith(b'  "metadata": {\n    "topic": "demo"\n  }\n}')
    assert len(response.content) == 164


def test_conversation_of_another_user_is_not_found(as_alice, as_bob, assert_error):
    conversation_id = as_alice.new_conversation()
    for client, requested_id in ((as_bob, conversation_id), (as_alice, "conv_none"), (as_alice, "conv_")):
        response = client.get(f"/conversations/{requested_id}")
        assert_error(response, 404, f"Conversation with id '{requested_id}' not found.")


def test_ids_are_case_sensitive(as_alice):
    conversation_id = as_alice.new_conversation()
    assert as_alice.get(f"/conversations/conv_{conversation_id[5:].upper()}").status_code == 404


def test_retrieving_a_conversation_takes_one_query(as_alice, django_assert_num_queries):
    conversation_id = as_alice.new_conversation()
    with django_assert_num_queries(1):
        as_alice.get(f"/conversations/{conversation_id}")
