import json
import random
import tracemalloc
from datetime import timedelta
from io import BytesIO

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.db.models import Model
from django.utils import timezone

from conversations import deletion, trash
from conversations.deletion import delete_conversation, purge_trash
from conversations.errors import APIError
from conversations.metadata_index import find_differences
from conversations.models import Conversation, DeletedConversation, DeletedPart, Item, ItemText, MetadataPair
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query
from conversations.transfer.exporter import Export
from conversations.transfer.importer import import_conversations
from conversations.trash import RestoreError, move_to_trash, restore
from tests.queries import CapturedQueries
from tests.schema.golden import STORED

MESSAGE = {"role": "user", "content": "hi"}
UNHEARD_OF = {"type": "unheard_of", "z": 1, "a": [1e22, -0.0, None, {}], "call_id": "c\0", "\0": ["\0"]}
connection = connections[Conversation.objects.db]
MODELS = (Conversation, MetadataPair, Item, ItemText)


@pytest.fixture(autouse=True)
def full_text(settings):
    settings.CONVERSATIONS_FULL_TEXT = True


def create_conversation(owner, *items, metadata=None) -> Conversation:
    return Conversation.objects.create_with_items(
        owner=owner, metadata={"topic": "demo"} if metadata is None else metadata, items=validate_items(list(items))
    )


def rows() -> dict[type, list]:
    """Return all rows of conversations, without the primary keys that the database assigns."""
    return {
        model: [
            {name: value for name, value in row.items() if name != "id" or model is Conversation}
            for row in model.objects.order_by(*order).values()
        ]
        for model, order in zip(MODELS, (["pk"], ["pk"], *[["conversation", "position"]] * 2), strict=True)
    }


def backdate(deleted: DeletedConversation, **age) -> DeletedConversation:
    DeletedConversation.objects.filter(pk=deleted.pk).update(deleted_at=timezone.now() - timedelta(**age))
    return deleted


@pytest.mark.slow
@pytest.mark.parametrize("size", [7, 1000])
def test_conversation_with_every_item_type_is_restored_unchanged(size, alice, bob, monkeypatch):
    conversation = create_conversation(alice, metadata={"b": "2", "a": "1 \u00e9\U0001f600", "": ""})
    for case in STORED.values():
        conversation.add_items(items=[{**item, "id": None} for item in validate_items([case["sent"]])], validate=False)
    conversation.add_items(items=validate_items([UNHEARD_OF], extra_types=["unheard_of"]), validate=False)
    positions = list(conversation.items.order_by("position").values_list("position", flat=True))
    types = {case["returned"]["type"] for case in STORED.values()}
    assert {*conversation.items.values_list("type", flat=True)} == {*types, "unheard_of"}
    for position in random.Random(1).sample(positions, 5) + positions[-1:]:
        conversation.delete_item(item_id=conversation.items.get(position=position).item_id)
    create_conversation(bob, MESSAGE)
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


@pytest.mark.parametrize("size", [1, 1000])
def test_empty_conversation_is_restored(size, alice, monkeypatch):
    monkeypatch.setattr(trash, "PART_BYTES", size)
    create_conversation(alice, metadata={})
    before = rows()
    restore(move_to_trash(Conversation.objects.get()))
    assert rows() == before


def test_deleted_conversation_records_its_metadata_and_deleting_user(alice, bob):
    conversation = create_conversation(alice, MESSAGE, MESSAGE)
    created_at, key = conversation.created_at, conversation.pk
    before = timezone.now()
    deleted = move_to_trash(conversation, deleted_by=bob)
    deleted.refresh_from_db()
    assert (deleted.conversation_id, deleted.owner, deleted.created_at) == (key, alice, created_at)
    assert deleted.owner_username == "alice"
    assert (deleted.metadata, deleted.item_count) == ({"topic": "demo"}, 2)
    assert (deleted.deleted_by, deleted.deleted_by_username) == (bob, "bob")
    assert before <= deleted.deleted_at <= timezone.now()
    assert deleted.restorable_until == deleted.deleted_at + timedelta(days=30)
    bob.delete()
    deleted.refresh_from_db()
    assert (deleted.deleted_by, deleted.deleted_by_username) == (None, "bob")


def test_deleted_conversation_is_not_found_until_restored(alice):
    deleted = move_to_trash(create_conversation(alice, MESSAGE))
    topic = Conversation.objects.visible_to(alice).matching(parse_query("topic:demo"))
    assert not topic.exists()
    assert not any(rows().values())
    restore(deleted)
    assert topic.get().items.get().data["content"] == [{"type": "input_text", "text": "hi"}]


def test_conversation_is_restored_to_a_renamed_owner(alice, bob):
    deleted = move_to_trash(create_conversation(alice, MESSAGE))
    User.objects.filter(pk=alice.pk).update(username="alicia")
    User.objects.filter(pk=bob.pk).update(username="alice")
    restore(DeletedConversation.objects.get(pk=deleted.pk))
    assert Conversation.objects.get().owner_id == MetadataPair.objects.get().owner_id == alice.pk


def test_missing_conversation_cannot_be_moved_to_the_trash(alice):
    conversation = create_conversation(alice, MESSAGE)
    delete_conversation(Conversation.objects.get())
    with pytest.raises(APIError, match="not found"):
        move_to_trash(conversation)
    assert not DeletedConversation.objects.exists()


def test_items_added_after_loading_are_moved_to_the_trash_too(alice):
    conversation = create_conversation(alice, MESSAGE)
    Conversation.objects.get().add_items(items=validate_items([MESSAGE] * 2))
    before = rows()
    restore(move_to_trash(conversation))
    assert rows() == before


@pytest.mark.parametrize("content", ["same", "other"])
def test_deleted_conversation_is_not_restored_over_an_existing_one(content, alice, bob):
    conversation = create_conversation(alice, MESSAGE)
    exported = b"".join(Export(Conversation.objects.all()))
    deleted = move_to_trash(conversation)
    [outcome] = import_conversations(BytesIO(exported), owner=alice if content == "same" else bob)
    assert outcome.kind == "added"
    before, parts = rows(), list(DeletedPart.objects.values())
    with pytest.raises(RestoreError, match=f"A conversation “{deleted.conversation_id}” exists already"):
        restore(deleted)
    assert rows() == before
    assert list(DeletedPart.objects.values()) == parts
    delete_conversation(Conversation.objects.get())
    restore(deleted)
    assert Conversation.objects.get().owner == alice


@pytest.mark.parametrize("lost", [1, 2, "last"])
def test_conversation_with_a_missing_part_is_not_restored(lost, alice, monkeypatch):
    monkeypatch.setattr(trash, "PART_BYTES", 50)
    deleted = move_to_trash(create_conversation(alice, *[MESSAGE] * 10))
    number = deleted.parts.count() if lost == "last" else lost
    deleted.parts.get(number=number).delete()
    with pytest.raises(RestoreError, match="can't be restored and stays deleted: "):
        restore(deleted)
    assert not any(rows().values())
    assert DeletedConversation.objects.get() == deleted


def test_deleted_conversation_is_restored_only_once(alice):
    deleted = move_to_trash(create_conversation(alice, MESSAGE))
    again = DeletedConversation.objects.get()
    restore(deleted)
    with pytest.raises(RestoreError, match="was already restored or permanently deleted"):
        restore(again)
    assert Item.objects.count() == 1


def test_conversation_that_cannot_be_stored_completely_is_not_deleted(alice):
    conversation = create_conversation(alice, MESSAGE, MESSAGE)
    Conversation.objects.update(last_position=1)  # Bypass the methods, so that the export ends before the second item.
    before = rows()
    with pytest.raises(RuntimeError, match="copied 1 of 2 deleted items"):
        move_to_trash(conversation)
    assert rows() == before
    assert not DeletedConversation.objects.exists()


def test_retention_of_zero_days_deletes_permanently(alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 0
    assert move_to_trash(create_conversation(alice, MESSAGE)) is None
    assert not any(rows().values())
    assert not DeletedConversation.objects.exists()


def test_owner_of_deleted_conversations_can_be_deleted_and_the_name_is_kept(alice):
    deleted = move_to_trash(create_conversation(alice, MESSAGE))
    alice.delete()
    deleted.refresh_from_db()
    assert (deleted.owner, deleted.owner_username) == (None, "alice")


def test_conversation_of_a_deleted_user_is_restored_only_to_a_named_owner(alice, bob):
    deleted = move_to_trash(create_conversation(alice, MESSAGE))
    alice.delete()
    User.objects.create_user("alice")  # somebody else who chose the same name
    deleted = DeletedConversation.objects.get()
    with pytest.raises(APIError) as refused:
        restore(deleted)
    assert refused.value.message == (
        f"“{deleted}” can't be restored to its owner, because the user “alice” was deleted. An operator can restore it "
        "to another user with `restore_conversations --owner`."
    )
    assert DeletedConversation.objects.get() == deleted
    restore(deleted, owner=bob)
    assert Conversation.objects.get().owner == bob
    assert MetadataPair.objects.get().owner == bob
    assert not DeletedConversation.objects.exists()


def test_only_expired_conversations_are_purged(alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 7
    old, young = [move_to_trash(create_conversation(alice, MESSAGE)) for _ in range(2)]
    backdate(old, days=7, seconds=1)
    backdate(young, days=6, hours=23)
    assert list(purge_trash()) == [1]
    assert DeletedConversation.objects.get() == young
    assert DeletedPart.objects.get().deleted_conversation == young
    assert list(purge_trash()) == []


def test_expired_conversations_are_purged_in_batches(alice, monkeypatch):
    monkeypatch.setattr(deletion, "MAX_COPIES", 2)
    for _ in range(5):
        backdate(move_to_trash(create_conversation(alice, MESSAGE)), days=31)
    batch = 2 + 4 + 6  # keys, keys of parts, savepoints, lock, ids, access log, rows, parts, rows
    with CapturedQueries(connection) as queries:
        assert list(purge_trash()) == [2, 2, 1]
    # SQLite also merges its full-text index, in as many savepoints as the state of the index needs.
    merges = sum("'merge'" in query["sql"] for query in queries)
    assert merges in ((1, 2) if connection.vendor == "sqlite" else (0,))
    assert len(queries) == 3 * batch + 1 + 3 * merges


def test_number_of_queries_grows_only_with_batches_of_items(alice):
    def queries(count: int) -> tuple[int, int]:
        conversation = create_conversation(alice)
        conversation.add_items(items=validate_items([MESSAGE]) * count)
        with CapturedQueries(connection) as deleting:
            deleted = move_to_trash(conversation)
        with CapturedQueries(connection) as restoring:
            restore(deleted)
        return len(deleting), len(restoring)

    assert queries(50)[0] <= 14
    for few, many in zip(queries(200), queries(1000), strict=True):
        assert many - few <= 4 * 8


@pytest.mark.slow
def test_memory_does_not_grow_with_items(alice, monkeypatch):
    monkeypatch.setattr(trash, "PART_BYTES", 50_000)
    noise = random.Random(1)

    def peak(batches: int) -> int:
        conversation = create_conversation(alice)
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
def test_failed_deletion_changes_nothing(alice, monkeypatch):
    conversation = create_conversation(alice, *[MESSAGE] * 3)
    before = rows()

    def fail(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Model, "delete", fail)
    with pytest.raises(KeyboardInterrupt):
        move_to_trash(conversation)
    assert rows() == before
    assert not DeletedPart.objects.exists()
    assert not transaction.get_connection().in_atomic_block
