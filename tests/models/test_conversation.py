from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, connections
from django.db.models import ProtectedError, QuerySet

from conversations.deletion import delete_conversation
from conversations.errors import APIError
from conversations.metadata_index import find_differences
from conversations.models import Conversation, Item, MetadataPair
from conversations.schema.items import validate_items


def messages(*texts: str) -> list[dict]:
    return validate_items([{"role": "user", "content": text} for text in texts])


def pairs(conversation):
    return dict(MetadataPair.objects.filter(conversation=conversation).values_list("key", "value"))


def test_creation_sets_counters_and_times(alice):
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"a": "b"}, items=messages("1", "2"))
    stored = Conversation.objects.get()
    assert (stored.item_count, stored.last_position) == (2, 2)
    assert stored.created_at == stored.last_item_at == conversation.created_at
    assert [item.created_at for item in stored.items.all()] == [stored.created_at] * 2


def test_an_empty_conversation_has_no_last_item(alice):
    conversation = Conversation.objects.create_with_items(owner=alice)
    assert (conversation.item_count, conversation.last_item_at, conversation.metadata) == (0, None, {})


def test_positions_are_dense_and_never_reused(alice):
    conversation = Conversation.objects.create_with_items(owner=alice, items=messages("1", "2"))
    conversation.delete_item(item_id=conversation.items.get(position=2).item_id)
    assert [item.position for item in conversation.add_items(items=messages("3", "4"))] == [3, 4]
    conversation.refresh_from_db()
    assert (conversation.item_count, conversation.last_position) == (3, 4)
    assert conversation.last_item_at > conversation.created_at


def test_items_store_their_complete_json(alice):
    [item] = Conversation.objects.create_with_items(owner=alice, items=messages("hi")).items.all()
    assert (item.item_id, item.type) == (item.data["id"], "message")
    assert list(item.data) == ["id", "type", "status", "content", "role"]


def test_failed_append_stores_nothing(alice):
    conversation = Conversation.objects.create_with_items(owner=alice, items=messages("1"))
    in_the_way = conversation.items.get()
    in_the_way.pk, in_the_way.position, in_the_way.item_id = None, 3, "msg_in_the_way"
    QuerySet(Item).bulk_create([in_the_way])
    with pytest.raises(IntegrityError):
        conversation.add_items(items=messages("2", "3", "4"))
    conversation.refresh_from_db()
    assert (conversation.item_count, conversation.last_position) == (1, 1)
    assert list(conversation.items.values_list("position", flat=True).order_by("position")) == [1, 3]


def test_failed_creation_stores_nothing(alice):
    items = [*messages("1"), {"id": "msg_1", "type": None}]
    with pytest.raises(IntegrityError):
        Conversation.objects.create_with_items(owner=alice, metadata={"a": "b"}, items=items, validate=False)
    assert (Conversation.objects.count(), MetadataPair.objects.count(), Item.objects.count()) == (0, 0, 0)


def test_metadata_and_its_index_change_together(alice):
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"a": "1", "b": "2"})
    assert pairs(conversation) == conversation.metadata == {"a": "1", "b": "2"}
    conversation.replace_metadata(metadata={"b": "3", "c": "4"})
    assert pairs(conversation) == Conversation.objects.get().metadata == {"b": "3", "c": "4"}


@pytest.mark.parametrize(
    "verb",
    [
        lambda gone: gone.add_items(items=messages("1")),
        lambda gone: gone.delete_item(item_id="msg_1"),
        lambda gone: gone.replace_metadata(metadata={"a": "b"}),
        delete_conversation,
    ],
)
def test_a_conversation_deleted_meanwhile_is_not_found(alice, verb):
    conversation = Conversation.objects.create_with_items(owner=alice)
    conversation_id = conversation.pk
    delete_conversation(Conversation.objects.get())
    with pytest.raises(APIError, match=f"Conversation with id '{conversation_id}' not found."):
        verb(conversation)
    assert (MetadataPair.objects.count(), Item.objects.count()) == (0, 0)


def test_conversation_is_visible_only_to_its_owner(alice, bob):
    conversation = Conversation.objects.create_with_items(owner=alice)
    assert Conversation.objects.visible_to(alice).get() == conversation
    assert not Conversation.objects.visible_to(bob).exists()


def test_an_owner_of_conversations_can_not_be_deleted(alice):
    Conversation.objects.create_with_items(owner=alice)
    with pytest.raises(ProtectedError):
        alice.delete()


def test_items_are_in_order_by_default(alice):
    first, second = (Conversation.objects.create_with_items(owner=alice, items=messages("1")) for _ in range(2))
    second.add_items(messages("2"))
    first.add_items(messages("2", "3"))
    keys = list(Item.objects.values_list("conversation", "position"))
    assert keys == [(first.pk, 1), (first.pk, 2), (first.pk, 3), (second.pk, 1), (second.pk, 2)]
    assert (first.items.first().position, first.items.last().position) == (1, 3)


def test_absolute_url_of_a_conversation_is_its_page_in_the_admin(alice, admin_client):
    conversation = Conversation.objects.create_with_items(owner=alice)
    page = admin_client.get(conversation.get_absolute_url())
    assert page.context["original"] == conversation
    assert "View on site" not in page.content.decode()


@pytest.mark.urls("conversations.urls")
def test_conversation_has_no_absolute_url_in_a_project_without_an_admin(alice):
    assert Conversation.objects.create_with_items(owner=alice).get_absolute_url() == ""


@pytest.mark.skipif(connection.vendor == "sqlite", reason="no second connection can write to a database in memory")
@pytest.mark.django_db(transaction=True)
def test_parallel_replacements_of_metadata_keep_the_index_in_sync(alice):
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "first"})

    def replace(number: int) -> None:
        try:
            for step in range(20):
                keys = ("topic", "tenant", "channel")[step % 3 :]
                conversation.replace_metadata(dict.fromkeys(keys, f"{number}.{step}"))
        finally:
            connections.close_all()

    with ThreadPoolExecutor() as executor:
        list(executor.map(replace, range(4)))
    assert find_differences([conversation.pk]) == {}


def test_index_has_the_stored_metadata_if_another_thread_changes_the_instance_meanwhile(alice):
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "first"})

    def change_after_update(execute, sql, *arguments):
        result = execute(sql, *arguments)
        if sql.startswith("UPDATE"):
            conversation.metadata = {"topic": "of the other thread"}
        return result

    with connection.execute_wrapper(change_after_update):
        conversation.replace_metadata({"topic": "second"})
    assert find_differences([conversation.pk]) == {}
    assert Conversation.objects.get().metadata == {"topic": "second"}
