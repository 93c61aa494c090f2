from conversations.models import Conversation, MetadataPair


def pairs(conversation_id):
    return set(MetadataPair.objects.filter(conversation=conversation_id).values_list("key", "value"))


def test_update_replaces_the_whole_metadata(as_alice):
    created = as_alice.post("/conversations", {"metadata": {"topic": "demo", "tenant": "acme"}}).json()
    response = as_alice.post(f"/conversations/{created['id']}", {"metadata": {"topic": "other", "new": "1"}})
    assert response.status_code == 200
    assert response.json() == {**created, "metadata": {"topic": "other", "new": "1"}}
    assert as_alice.get(f"/conversations/{created['id']}").json() == response.json()
    assert pairs(created["id"]) == {("topic", "other"), ("new", "1")}


def test_empty_object_clears_the_metadata(as_alice):
    conversation_id = as_alice.new_conversation(topic="demo")
    assert as_alice.post(f"/conversations/{conversation_id}", {"metadata": {}}).json()["metadata"] == {}
    assert pairs(conversation_id) == set()


def test_metadata_must_be_present_and_not_null(as_alice, assert_error):
    conversation_id = as_alice.new_conversation(topic="demo")
    for body in (None, {}):
        assert_error(
            as_alice.post(f"/conversations/{conversation_id}", body),
            400,
            "Missing required parameter: 'metadata'.",
            param="metadata",
            code="missing_required_parameter",
        )
    assert_error(
        as_alice.post(f"/conversations/{conversation_id}", {"metadata": None}),
        400,
        "Invalid type for 'metadata': expected a metadata object, but got null instead.",
        param="metadata",
        code="invalid_type",
    )
    assert Conversation.objects.get().metadata == {"topic": "demo"}


def test_items_parameter_is_refused(as_alice, assert_error):
    assert_error(
        as_alice.post(f"/conversations/{as_alice.new_conversation()}", {"metadata": {}, "items": []}),
        400,
        "Unknown parameter: 'items'.",
        param="items",
        code="unknown_parameter",
    )


def test_invalid_body_is_reported_before_an_unknown_conversation(as_alice):
    assert as_alice.post("/conversations/conv_none", {}).status_code == 400
    assert as_alice.post("/conversations/conv_none", {"metadata": {}}).status_code == 404


def test_conversation_of_another_user_is_not_found(as_alice, as_bob, assert_error):
    conversation_id = as_alice.new_conversation(topic="demo")
    response = as_bob.post(f"/conversations/{conversation_id}", {"metadata": {}})
    assert_error(response, 404, f"Conversation with id '{conversation_id}' not found.")
    assert Conversation.objects.get().metadata == {"topic": "demo"}
