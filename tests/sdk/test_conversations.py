import pytest
from openai import NotFoundError

HELLO = {"type": "message", "role": "user", "content": "Hello!"}


def test_a_conversation_is_created_with_metadata_and_items(client):
    conversation = client.conversations.create(metadata={"topic": "demo"}, items=[HELLO])
    assert conversation.id.startswith("conv_")
    assert conversation.object == "conversation"
    assert conversation.metadata == {"topic": "demo"}
    [item] = client.conversations.items.list(conversation.id)
    assert item.content[0].text == "Hello!"


def test_conversation_can_be_created_without_arguments(client):
    conversation = client.conversations.create()
    assert conversation.metadata == {}
    assert list(client.conversations.items.list(conversation.id)) == []


def test_null_arguments_are_equivalent_to_missing_ones(client):
    assert client.conversations.create(metadata=None, items=None).metadata == {}


def test_created_conversation_can_be_retrieved(client):
    conversation = client.conversations.create(metadata={"topic": "demo", "größe": "2️⃣"})
    assert client.conversations.retrieve(conversation.id) == conversation


def test_an_update_replaces_the_metadata(client):
    conversation = client.conversations.create(metadata={"topic": "demo", "step": "1"})
    updated = client.conversations.update(conversation.id, metadata={"step": "2"})
    assert updated.metadata == {"step": "2"}
    assert updated.created_at == conversation.created_at
    assert client.conversations.retrieve(conversation.id) == updated


def test_deleted_conversation_is_not_found(client):
    conversation = client.conversations.create(items=[HELLO])
    deleted = client.conversations.delete(conversation.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (conversation.id, True, "conversation.deleted")
    with pytest.raises(NotFoundError):
        client.conversations.retrieve(conversation.id)
    with pytest.raises(NotFoundError):
        client.conversations.delete(conversation.id)


def test_every_response_has_a_request_id(client):
    conversation = client.conversations.create()
    again = client.conversations.retrieve(conversation.id)
    assert conversation._request_id.startswith("req_")
    assert again._request_id.startswith("req_")
    assert again._request_id != conversation._request_id


def test_raw_responses_have_openais_headers(client):
    raw = client.conversations.with_raw_response.create(metadata={"topic": "demo"})
    assert raw.status_code == 200
    assert raw.headers["content-type"] == "application/json"
    assert raw.headers["openai-version"] == "2020-10-01"
    assert raw.headers["openai-processing-ms"].isdecimal()
    assert raw.parse().metadata == {"topic": "demo"}
