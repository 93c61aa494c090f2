"""CONVERSATIONS_REDACTORS run wherever items are stored, and their exceptions refuse the write."""

import io

import pytest

from conversations.errors import APIError
from conversations.models import Conversation, Item, ItemText
from conversations.transfer.exporter import Export
from conversations.transfer.importer import import_conversations
from conversations.trash import move_to_trash, restore

CARD = "4111111111111111"
ITEM = {"type": "message", "role": "user", "content": f"My card is {CARD}."}


@pytest.fixture(autouse=True)
def _redactors(settings):
    settings.CONVERSATIONS_REDACTORS = ["tests.redactors.hide_numbers", "tests.redactors.refuse_secrets"]


def create_unredacted(owner, settings):
    settings.CONVERSATIONS_REDACTORS = []
    conversation = Conversation.objects.create_with_items(owner=owner, items=[ITEM, ITEM])
    settings.CONVERSATIONS_REDACTORS = ["tests.redactors.hide_numbers"]
    return conversation


def assert_redacted(conversation):
    texts = [row.data["content"][0]["text"] for row in conversation.items.all()]
    assert texts
    assert set(texts) == {"My card is [card]."}


def test_api_stores_and_returns_what_the_redactors_return(as_alice):
    conversation_id = as_alice.new_conversation(ITEM)
    answer = as_alice.post(f"/conversations/{conversation_id}/items", {"items": [ITEM]})
    assert CARD not in answer.content.decode()
    assert_redacted(Conversation.objects.get())


def test_python_verbs_store_what_the_redactors_return(alice):
    conversation = Conversation.objects.create_with_items(owner=alice, items=[ITEM])
    conversation.add_items([ITEM, {**ITEM, "id": "msg_own"}])
    assert_redacted(conversation)


def test_index_has_the_words_that_the_redactors_leave(alice, settings):
    settings.CONVERSATIONS_FULL_TEXT = True
    Conversation.objects.create_with_items(owner=alice, items=[ITEM])
    assert all(CARD not in text.words for text in ItemText.objects.all())


def test_copies_of_earlier_items_are_redacted(alice, settings):
    conversation = create_unredacted(alice, settings)
    reference = {"type": "item_reference", "id": conversation.items.first().item_id}
    assert_redacted(Conversation.objects.create_with_items(owner=alice, items=[reference]))
    fork = conversation.fork()
    assert_redacted(fork)
    assert [row.position for row in fork.items.all()] == [1, 2]
    assert (fork.item_count, fork.last_position) == (2, 2)


def test_import_and_restoration_store_what_the_redactors_return(alice, settings):
    conversation = create_unredacted(alice, settings)
    exported = b"".join(Export(Conversation.objects.all()))
    restore(move_to_trash(conversation))
    assert_redacted(Conversation.objects.get())
    Conversation.objects.all().delete()
    for kind in ("added", "present"):
        assert [outcome.kind for outcome in import_conversations(io.BytesIO(exported))] == [kind]
        assert_redacted(Conversation.objects.get())


def test_exception_of_a_redactor_refuses_the_whole_write(as_alice, assert_error, alice):
    conversation_id = as_alice.new_conversation()
    items = [ITEM, {**ITEM, "content": "secret"}]
    for path in ("/conversations", f"/conversations/{conversation_id}/items"):
        assert_error(as_alice.post(path, {"items": items}), 400, "The item has a secret.", code="secret")
    with pytest.raises(APIError, match="secret"):
        Conversation.objects.create_with_items(owner=alice, items=items)
    assert not Item.objects.exists()
    assert Conversation.objects.get().item_count == 0


@pytest.mark.parametrize("name", ["fail", "replace_id"])
def test_broken_redactor_stores_nothing(alice, settings, name):
    conversation = create_unredacted(alice, settings)
    exported = b"".join(Export(Conversation.objects.all()))
    settings.CONVERSATIONS_REDACTORS = [f"tests.redactors.{name}"]
    for write in (conversation.add_items, lambda items: conversation.fork()):
        with pytest.raises((RuntimeError, ValueError)):
            write([ITEM])
    assert Item.objects.count() == 2
    Conversation.objects.all().delete()
    [outcome] = import_conversations(io.BytesIO(exported))
    assert outcome.kind == "bad"
    assert "a redactor refuses it" in outcome.reason
    assert not Conversation.objects.exists()
