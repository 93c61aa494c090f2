"""Verbs validate what Python code passes to them by the rules of the API."""

from datetime import date
from enum import StrEnum

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.utils.safestring import SafeString

from conversations.errors import APIError
from conversations.models import Conversation, Item, MetadataPair

HELLO = {"role": "user", "content": "Hello!"}


class Role(StrEnum):
    USER = "user"


@pytest.fixture
def conversation(alice) -> Conversation:
    return Conversation.objects.create_with_items(owner=alice)


def test_verbs_store_plain_dicts_as_the_api_does(alice):
    items = [HELLO, {"type": "item_reference", "id": "msg_1"}]
    Conversation.objects.create_with_items(owner=alice, items=[{**HELLO, "id": "msg_1"}])
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=items)
    [item] = conversation.add_items([{"role": "assistant", "content": "Hi."}])
    assert item.data["content"] == [{"type": "output_text", "text": "Hi.", "annotations": [], "logprobs": []}]
    assert [item.data["type"] for item in conversation.items.all()] == ["message"] * 3
    assert conversation.items.earliest("position").data["content"] == [{"type": "input_text", "text": "Hello!"}]


def test_number_of_items_has_no_limit(conversation):
    assert len(conversation.add_items([HELLO] * 101)) == 101
    assert conversation.add_items([]) == []


def test_items_are_copied_and_become_plain_json(conversation):
    part = {"type": "input_text", "text": SafeString("Hello!"), "n": 1.5}
    [item] = conversation.add_items(({"role": Role.USER, "content": (part,)},))
    part["text"] = "changed"
    assert item.data["content"] == [{"type": "input_text", "text": "Hello!", "n": 1.5}]
    assert Item.objects.get(pk=item.pk).data == item.data
    assert type(item.data["role"]) is str


def test_nul_is_stored_in_items_and_lone_surrogates_are_replaced(conversation):
    sent = {"role": "user", "content": [{"type": "input_text", "text": "W\0s\0l \udcff"}], "\ud800": ["\0", "🙂"]}
    [item] = conversation.add_items([sent])
    assert item.data["content"] == [{"type": "input_text", "text": "W\0s\0l \ufffd"}]
    assert item.data["\ufffd"] == ["\0", "🙂"]
    assert Item.objects.get(pk=item.pk).data == item.data


@pytest.mark.parametrize(
    ("items", "param", "code"),
    [
        ([{"role": "nobody", "content": "Hello!"}], "items[0]", "invalid_value"),
        ([HELLO, {"role": "user"}], "items[1].content", "missing_required_parameter"),
        ([{**HELLO, "id": "msg_\0"}], "items[0].id", "invalid_value"),
        ([{**HELLO, "x": [float("nan")]}], "items[0].x[0]", "invalid_value"),
        ([{**HELLO, "x": 2**64}], "items[0].x", "invalid_value"),
        ([{**HELLO, "day": date(2026, 1, 1)}], "items", "invalid_value"),
        ([{**HELLO, "id": "fc_1"}], "items[0].id", "invalid_value"),
        (HELLO, "items", "invalid_type"),
        ("Hello!", "items", "invalid_type"),
    ],
)
def test_invalid_items_are_an_error_and_store_nothing(conversation, items, param, code):
    for verb in (
        lambda: conversation.add_items(items),
        lambda: Conversation.objects.create_with_items(owner=conversation.owner, items=items),
    ):
        with pytest.raises(APIError) as raised:
            verb()
        assert (raised.value.param, raised.value.code) == (param, code), raised.value.message
    assert (Conversation.objects.count(), Item.objects.count()) == (1, 0)


@pytest.mark.parametrize(
    ("metadata", "param", "code"),
    [
        ({"topic": 1}, "metadata.topic", "invalid_type"),
        ({"topic": "x" * 513}, "metadata.topic", "string_above_max_length"),
        ({"topic": "\ud800"}, "metadata.topic", "invalid_value"),
        ({"topic": "\0"}, "metadata.topic", "invalid_value"),
        ({"\0": "demo"}, "metadata", "invalid_value"),
        ({str(n): "" for n in range(17)}, "metadata", "object_above_max_properties"),
        ([("topic", "demo")], "metadata", "invalid_type"),
    ],
)
def test_invalid_metadata_is_an_error_and_stores_nothing(conversation, metadata, param, code):
    for verb in (
        lambda: conversation.replace_metadata(metadata),
        lambda: Conversation.objects.create_with_items(owner=conversation.owner, metadata=metadata),
    ):
        with pytest.raises(APIError) as raised:
            verb()
        assert (raised.value.param, raised.value.code) == (param, code), raised.value.message
    assert (Conversation.objects.get().metadata, conversation.metadata) == ({}, {})
    assert not MetadataPair.objects.exists()


def test_settings_of_the_api_apply_to_verbs(conversation, settings):
    settings.CONVERSATIONS_UNKNOWN_ITEM_FIELDS = "reject"
    settings.CONVERSATIONS_EXTRA_ITEM_TYPES = ["hologram"]
    with pytest.raises(APIError, match=r"Unknown parameter: 'items\[0\]\.mood'"):
        conversation.add_items([{**HELLO, "mood": "good"}])
    assert len(conversation.add_items([{"type": "hologram"}])) == 1


def test_validation_can_be_left_out(conversation):
    [item] = conversation.add_items([{"type": "message", "role": "nobody"}], validate=False)
    assert item.data == {"id": item.item_id, "type": "message", "role": "nobody"}
    long = {"topic": "x" * 500}
    conversation.replace_metadata(long, validate=False)
    assert Conversation.objects.get().metadata == long
    fork = conversation.fork(metadata={"topic": "y" * 500}, validate=False)
    assert Conversation.objects.get(pk=fork.pk).metadata == {"topic": "y" * 500}
    items = [{"type": "message", "role": "nobody"}]
    created = Conversation.objects.create_with_items(
        owner=conversation.owner, metadata=long, items=items, validate=False
    )
    assert Conversation.objects.get(pk=created.pk).metadata == long
    assert created.items.get().data["role"] == "nobody"


@pytest.mark.parametrize("owner", [AnonymousUser(), User(username="new")])
def test_owner_has_to_be_a_stored_user(db, owner):
    with pytest.raises(APIError) as raised:
        Conversation.objects.create_with_items(owner=owner)
    assert raised.value.param == "owner"
