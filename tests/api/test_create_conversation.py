import re
import time
from types import SimpleNamespace

import pytest
from django.db import connection
from rest_framework import serializers

from conversations.api.serializers import ConversationSerializer
from conversations.errors import APIError
from conversations.models import Conversation, Item, MetadataPair

HELLO = {"type": "message", "role": "user", "content": "Hello!"}


def test_example_of_the_openai_reference_creates_a_conversation(as_alice):
    response = as_alice.post("/conversations", {"metadata": {"topic": "demo"}, "items": [HELLO]})
    conversation = response.json()
    assert response.status_code == 200
    assert list(conversation) == ["id", "object", "created_at", "metadata"]
    assert re.fullmatch(r"conv_[0-9a-f]{48}", conversation["id"])
    assert conversation["object"] == "conversation"
    assert abs(conversation["created_at"] - time.time()) < 60
    assert int(conversation["id"][5:13], 16) == conversation["created_at"]
    assert conversation["metadata"] == {"topic": "demo"}
    [item] = as_alice.items(conversation["id"])
    assert list(item) == ["id", "type", "status", "content", "role"]
    assert re.fullmatch(r"msg_[0-9a-f]{48}", item["id"])
    assert item["content"] == [{"type": "input_text", "text": "Hello!"}]


@pytest.mark.parametrize(
    "body",
    [None, {}, {"metadata": None}, {"items": None}, {"metadata": None, "items": None}, {"items": []}, {"metadata": {}}],
)
def test_body_without_values_creates_an_empty_conversation(as_alice, body):
    response = as_alice.post("/conversations", body)
    assert response.status_code == 200
    assert response.json()["metadata"] == {}
    assert as_alice.items(response.json()["id"]) == []


def test_empty_body_needs_no_content_type(as_alice):
    assert as_alice.client.generic("POST", "/v1/conversations").status_code == 200


def test_twenty_items_are_stored_in_order(as_alice):
    conversation_id = as_alice.new_conversation(*({**HELLO, "content": f"{n}"} for n in range(20)))
    items = as_alice.items(conversation_id)
    assert [item["content"][0]["text"] for item in items] == [str(n) for n in range(20)]
    assert [item["id"] for item in items] == sorted(item["id"] for item in items)


def test_metadata_keeps_the_order_of_its_keys(as_alice):
    metadata = {"zebra": "1", "a": "2", "Ünïcode 🦓": "3", "": "4"}
    conversation_id = as_alice.new_conversation(**metadata)
    stored = as_alice.get(f"/conversations/{conversation_id}").json()["metadata"]
    assert list(stored.items()) == list(metadata.items())


def test_each_metadata_pair_is_indexed(as_alice):
    conversation_id = as_alice.new_conversation(topic="demo", tenant="acme ")
    pairs = MetadataPair.objects.filter(conversation=conversation_id).values_list("key", "value")
    assert set(pairs) == {("topic", "demo"), ("tenant", "acme ")}


def test_invalid_item_stores_nothing(as_alice):
    response = as_alice.post("/conversations", {"metadata": {"a": "b"}, "items": [HELLO, {"type": "nonsense"}]})
    assert response.status_code == 400
    assert (Conversation.objects.count(), Item.objects.count(), MetadataPair.objects.count()) == (0, 0, 0)


def test_unknown_item_reference_stores_nothing(as_alice):
    response = as_alice.post("/conversations", {"items": [HELLO, {"type": "item_reference", "id": "msg_none"}]})
    assert response.status_code == 404
    assert (Conversation.objects.count(), Item.objects.count()) == (0, 0)


def test_number_of_queries_does_not_grow_with_the_items(as_alice, django_assert_num_queries):
    as_alice.new_conversation()  # The first request records the use of the key.
    # PostgreSQL: SAVEPOINT, one statement for all rows, RELEASE. Others: SAVEPOINT, the conversation, its metadata, its
    # items, their texts, RELEASE.
    number = 3 if connection.vendor == "postgresql" else 6
    for count in (1, 20):
        with django_assert_num_queries(number):
            as_alice.new_conversation(*[HELLO] * count, topic="demo")


class ExtendedSerializer(ConversationSerializer):
    """A serializer of your project with more fields and a rule of its own."""

    label = serializers.CharField(max_length=5)
    author = serializers.HiddenField(default=serializers.CurrentUserDefault())

    def validate_label(self, value):
        return value.upper()

    def create(self, validated_data):
        validated_data["metadata"] = {"label": validated_data["label"], "author": validated_data["author"].username}
        return super().create(validated_data)


def test_serializer_can_be_subclassed(alice, bob):
    for user in (alice, bob):
        context = {"request": SimpleNamespace(user=user)}
        serializer = ExtendedSerializer(data={"label": "blue", "items": [HELLO]}, context=context)
        serializer.is_valid(raise_exception=True)
        assert serializer.save(owner=user).metadata == {"label": "BLUE", "author": user.username}
    assert not ExtendedSerializer(data={"label": "too long"}, context=context).is_valid()
    with pytest.raises(APIError, match="Missing required parameter: 'label'"):
        ExtendedSerializer(data={}, context=context).is_valid(raise_exception=True)
    with pytest.raises(APIError, match="Unknown parameter: 'label'"):
        ConversationSerializer(data={"label": "blue"}).is_valid(raise_exception=True)
