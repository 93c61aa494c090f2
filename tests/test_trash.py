import json
import random
import tracemalloc
from datetime import timedelta
from io import BytesIO

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations import trash
from conversations.errors import APIError
from conversations.metadata_index import find_differences
from conversations.models import Conversation, DeletedConversation, DeletedPart, Item, ItemText, MetadataPair
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query
from conversations.transfer.exporter import Export
from conversations.transfer.importer import import_conversations
from conversations.trash import RestoreError, move_to_trash, purge, restore
from tests.schema.golden import STORED

MESSAGE = {"role": "user", "content": "hi"}
UNHEARD_OF = {"type": "unheard_of", "z": 1, "a": [1e22, -0.0, None, {}]}
MODELS = (Conversation, MetadataPair, Item, ItemText)


@pytest.fixture(autouse=True)
def full_text(settings):
    settings.CONVERSATIONS_FULL_TEXT = True


def conversation_of(owner, *items, metadata=None) -> Conversation:
    return Conversation.create_with_items(
        owner=owner, metadata={"topic": "demo"} if metadata is None else metadata, items=validate_items(list(items))
    )


def rows() -> dict[type, list]:
    """All that there is of conversations, but for the keys that the database gives."""
    return {
        model: [
            {name: value for name, value in row.items() if name != "id" or model is Conversation}
            for row in model.objects.order_by(*order).values()
        ]
        for model, order in zip(MODELS, (["pk"], ["pk"], *[["conversation", "position"]] * 2), strict=True)
    }


def aged(deleted: DeletedConversation, **age) -> DeletedConversation:
    DeletedConversation.objects.filter(pk=deleted.pk).update(deleted_at=timezone.now() - timedelta(**age))
    return deleted


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_conversation_with_every_item_type_comes_back_as_it_was(size, alice, bob, monkeypatch):
    conversation = conversation_of(alice, metadata={"b": "2", "a": "1 \u00e9\U0001f600", "": ""})
    for case in STORED.values():
        conversation.add_items(items=[{**item, "id": None} for item in validate_items([case["sent"]])])
    conversation.add_items(items=validate_items([UNHEARD_OF], extra_types=["unheard_of"]))
    positions = list(conversation.items.order_by("position").values_list("position", flat=True))
    types = {case["returned"]["type"] for case in STORED.values()}
    assert {*conversation.items.values_list("type", flat=True)} == {*types, "unheard_of"}
    for position in random.Random(1).sample(positions, 5) + positions[-1:]:
        conversation.delete_item(item_id=conversation.items.get(position=position).item_id)
    conversation_of(bob, MESSAGE)
    before, texts = rows(), [json.dumps(item.data) for item in conversation.items.order_by("position")]
    monkeypatch.setattr(trash, "PART_BYTES", size)

    deleted = move_to_trash(Conversation.objects.get(pk=conversation.pk), deleted_by=bob)
    assert [len(table) for table in rows().values()] == [1, 1, 1, 1]
    assert deleted.parts.count() > 1
    assert max(len(part.content) for part in deleted.parts.all()) <= size

    restore(deleted)
    assert rows() == before
    restored = Item.objects.filter(conversation=deleted.conversation_id).order_by("position")
    assert [json.dumps(item.data) for item in restored] == texts
    assert find_differences([deleted.conversation_id]) == {}
    assert not DeletedConversation.objects.exists()
    assert not DeletedPart.objects.exists()
    [added] = Conversation.objects.get(pk=deleted.conversation_id).add_items(items=validate_items([MESSAGE]))
    assert added.position == positions[-1] + 1


def test_an_empty_conversation_comes_back(alice):
    conversation_of(alice, metadata={})
    before = rows()
    restore(move_to_trash(Conversation.objects.get()))
    assert rows() == before


def test_it_is_known_what_was_deleted_by_whom(alice, bob):
    conversation = conversation_of(alice, MESSAGE, MESSAGE)
    created_at, key = conversation.created_at, conversation.pk
    before = timezone.now()
    deleted = move_to_trash(conversation, deleted_by=bob)
    deleted.refresh_from_db()
    assert (deleted.conversation_id, deleted.owner, deleted.created_at) == (key, alice, created_at)
    assert (deleted.metadata, deleted.item_count) == ({"topic": "demo"}, 2)
    assert (deleted.deleted_by, deleted.deleted_by_username) == (bob, "bob")
    assert before <= deleted.deleted_at <= timezone.now()
    assert deleted.restorable_until == deleted.deleted_at + timedelta(days=30)
    bob.delete()
    deleted.refresh_from_db()
    assert (deleted.deleted_by, deleted.deleted_by_username) == (None, "bob")


def test_it_is_found_by_nothing_until_it_is_restored(alice):
    deleted = move_to_trash(conversation_of(alice, MESSAGE))
    topic = Conversation.objects.visible_to(alice).matching(parse_query("topic:demo"))
    assert not topic.exists()
    assert not any(rows().values())
    restore(deleted)
    assert topic.get().items.get().data["content"] == [{"type": "input_text", "text": "hi"}]


def test_an_owner_with_a_new_name_gets_it_back(alice, bob):
    deleted = move_to_trash(conversation_of(alice, MESSAGE))
    User.objects.filter(pk=alice.pk).update(username="alicia")
    User.objects.filter(pk=bob.pk).update(username="alice")
    restore(DeletedConversation.objects.get(pk=deleted.pk))
    assert Conversation.objects.get().owner_id == MetadataPair.objects.get().owner_id == alice.pk


def test_a_conversation_that_is_gone_is_not_moved(alice):
    conversation = conversation_of(alice, MESSAGE)
    Conversation.objects.get().delete_with_items()
    with pytest.raises(APIError, match="not found"):
        move_to_trash(conversation)
    assert not DeletedConversation.objects.exists()


def test_items_that_came_since_it_was_read_are_kept(alice):
    conversation = conversation_of(alice, MESSAGE)
    Conversation.objects.get().add_items(items=validate_items([MESSAGE] * 2))
    before = rows()
    restore(move_to_trash(conversation))
    assert rows() == before


@pytest.mark.parametrize("content", ["same", "other"])
def test_it_is_not_restored_over_one_that_is_there_again(content, alice, bob):
    conversation = conversation_of(alice, MESSAGE)
    exported = b"".join(Export(Conversation.objects.all()))
    deleted = move_to_trash(conversation)
    [outcome] = import_conversations(BytesIO(exported), owner=alice if content == "same" else bob)
    assert outcome.kind == "added"
    before, parts = rows(), list(DeletedPart.objects.values())
    with pytest.raises(RestoreError, match=f"There is a conversation “{deleted.conversation_id}” again"):
        restore(deleted)
    assert rows() == before
    assert list(DeletedPart.objects.values()) == parts
    Conversation.objects.get().delete_with_items()
    restore(deleted)
    assert Conversation.objects.get().owner == alice


@pytest.mark.parametrize("lost", [1, 2, "last"])
def test_what_has_lost_a_part_is_not_half_restored(lost, alice, monkeypatch):
    monkeypatch.setattr(trash, "PART_BYTES", 50)
    deleted = move_to_trash(conversation_of(alice, *[MESSAGE] * 10))
    number = deleted.parts.count() if lost == "last" else lost
    deleted.parts.get(number=number).delete()
    with pytest.raises(RestoreError, match="can't be restored, and stays where it is: "):
        restore(deleted)
    assert not any(rows().values())
    assert DeletedConversation.objects.get() == deleted


def test_it_is_restored_once(alice):
    deleted = move_to_trash(conversation_of(alice, MESSAGE))
    again = DeletedConversation.objects.get()
    restore(deleted)
    with pytest.raises(RestoreError, match="is not among the deleted conversations any more"):
        restore(again)
    assert Item.objects.count() == 1


def test_nothing_is_deleted_that_was_not_kept(alice):
    conversation = conversation_of(alice, MESSAGE, MESSAGE)
    Conversation.objects.update(last_position=1)  # past the methods, so that the second is beyond it
    before = rows()
    with pytest.raises(RuntimeError, match="are not those that were deleted"):
        move_to_trash(conversation)
    assert rows() == before
    assert not DeletedConversation.objects.exists()


def test_with_no_days_to_restore_it_is_deleted_for_good(alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 0
    assert move_to_trash(conversation_of(alice, MESSAGE)) is None
    assert not any(rows().values())
    assert not DeletedConversation.objects.exists()


def test_an_owner_is_kept_as_long_as_what_he_can_be_given_back(alice):
    deleted = move_to_trash(conversation_of(alice, MESSAGE))
    with pytest.raises(ProtectedError):
        alice.delete()
    DeletedConversation.objects.filter(pk=deleted.pk).delete_with_parts()
    alice.delete()


def test_only_what_is_overdue_is_purged(alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 7
    old, young = [move_to_trash(conversation_of(alice, MESSAGE)) for _ in range(2)]
    aged(old, days=7, seconds=1)
    aged(young, days=6, hours=23)
    assert list(purge()) == [1]
    assert DeletedConversation.objects.get() == young
    assert DeletedPart.objects.get().deleted_conversation == young
    assert list(purge()) == []


def test_many_are_purged_in_batches(alice, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(trash, "BATCH", 2)
    for _ in range(5):
        aged(move_to_trash(conversation_of(alice, MESSAGE)), days=31)
    batch = 2 + 4 + 4  # keys, keys of parts, savepoints, lock, rows, parts, rows
    merging = 2 * 3 if connection.vendor == "sqlite" else 0
    with django_assert_num_queries(3 * batch + 1 + merging):
        assert list(purge()) == [2, 2, 1]


def test_each_hundred_items_take_a_query_more_to_delete_and_few_to_restore(alice):
    def queries(count: int) -> tuple[int, int]:
        conversation = conversation_of(alice)
        conversation.add_items(items=validate_items([MESSAGE]) * count)
        with CaptureQueriesContext(connection) as deleting:
            deleted = move_to_trash(conversation)
        with CaptureQueriesContext(connection) as restoring:
            restore(deleted)
        return len(deleting), len(restoring)

    assert queries(50)[0] <= 13
    for few, many in zip(queries(200), queries(1000), strict=True):
        assert many - few <= 4 * 8


def test_memory_does_not_grow_with_items(alice, monkeypatch):
    monkeypatch.setattr(trash, "PART_BYTES", 50_000)
    noise = random.Random(1)

    def peak(batches: int) -> int:
        conversation = conversation_of(alice)
        for _ in range(batches):
            contents = [noise.randbytes(3000).hex() for _ in range(20)]
            conversation.add_items(items=validate_items([{"role": "user", "content": text} for text in contents]))
        tracemalloc.start()
        try:
            deleted = move_to_trash(conversation)
            restore(deleted)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)
    small = peak(20)
    assert peak(60) < small * 1.3


@pytest.mark.django_db(transaction=True)
def test_a_failure_half_way_leaves_everything(alice, monkeypatch):
    conversation = conversation_of(alice, *[MESSAGE] * 3)
    before = rows()

    def fail(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Conversation, "delete", fail)
    with pytest.raises(KeyboardInterrupt):
        move_to_trash(conversation)
    assert rows() == before
    assert not DeletedPart.objects.exists()
    assert not transaction.get_connection().in_atomic_block
