"""Django's own methods keep counters and indexes in sync, or refuse with a sentence that names the verb to use."""

from datetime import UTC, datetime

import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from conversations import ids
from conversations.errors import APIError
from conversations.metadata_index import find_differences
from conversations.models import AccessRecord, Conversation, Item, ItemText
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query

HELLO = validate_items([{"role": "user", "content": "Hello!"}])
DEMO = {"topic": "demo"}


@pytest.fixture
def conversation(alice) -> Conversation:
    return Conversation.objects.create_with_items(owner=alice, metadata=DEMO, items=HELLO)


def create(alice) -> Conversation:
    return Conversation.objects.create(owner=alice, metadata=DEMO)


def create_as_related(alice) -> Conversation:
    return alice.conversations.create(metadata=DEMO)


def save(alice) -> Conversation:
    conversation = Conversation(owner=alice, metadata=DEMO)
    conversation.save()
    return conversation


def get_or_create(alice) -> Conversation:
    return Conversation.objects.get_or_create({"metadata": DEMO}, owner=alice)[0]


def update_or_create(alice) -> Conversation:
    return Conversation.objects.update_or_create({"metadata": DEMO}, owner=alice)[0]


def bulk_create(alice) -> Conversation:
    return Conversation.objects.bulk_create([Conversation(owner=alice, metadata=DEMO)])[0]


def bulk_create_as_related(alice) -> Conversation:
    return alice.conversations.bulk_create([Conversation(owner=alice, metadata=DEMO)])[0]


@pytest.mark.parametrize(
    "method",
    [create, create_as_related, save, get_or_create, update_or_create, bulk_create, bulk_create_as_related],
)
def test_conversation_of_a_plain_method_has_a_time_and_an_index(alice, method):
    conversation = method(alice)
    stored = Conversation.objects.visible_to(alice).matching(parse_query("topic:demo")).get()
    assert stored == conversation
    assert stored.created_at == conversation.created_at == ids.created_at(stored.pk)
    assert find_differences([stored.pk]) == {}
    conversation.add_items(items=HELLO)
    assert conversation.item_count == 1


@pytest.mark.parametrize(
    "values",
    [
        *(
            {"metadata": value}
            for value in ({"k": 1}, {"k": None}, {"k": "\0"}, {"k" * 65: "v"}, {"k": "\ud800"}, [], "x")
        ),
        {"metadata": {f"key {number}": "" for number in range(17)}},
        *({"end_user": value} for value in ("", "x" * 257, "\0")),
    ],
)
def test_plain_method_refuses_what_the_api_refuses(alice, values):
    invalid = Conversation(owner=alice, **values)
    for method in (invalid.save, lambda: Conversation.objects.bulk_create([Conversation(owner=alice), invalid])):
        with pytest.raises(APIError):
            method()
    assert not Conversation.objects.exists()


def refuse_metadata_pairs(execute, sql, *arguments):
    if sql.startswith("INSERT") and "conversations_metadatapair" in sql:
        raise IntegrityError("refused")
    return execute(sql, *arguments)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", [create, save, bulk_create])
def test_conversation_whose_index_cannot_be_stored_is_not_created(alice, method):
    database = connections[Conversation().write_alias]
    with database.execute_wrapper(refuse_metadata_pairs), pytest.raises(IntegrityError):
        method(alice)
    assert not Conversation.objects.exists()


def copy_of(item: Item) -> Item:
    return Item.build(item.conversation, position=2, data=item.data | {"id": "msg_2"}, created_at=item.created_at)


def test_given_creation_time_is_kept_and_another_id_gets_the_current_time(alice):
    time = datetime(2026, 1, 1, tzinfo=UTC)
    assert Conversation.objects.create(owner=alice, created_at=time).created_at == time
    before = timezone.now()
    assert before <= Conversation.objects.create(pk="conv_mine", owner=alice).created_at <= timezone.now()


@pytest.mark.parametrize(
    "delete",
    [
        lambda conversation: conversation.delete(),
        lambda conversation: Conversation.objects.filter(metadata__topic="new").delete(),
        lambda conversation: conversation.owner.conversations.all().delete(),
    ],
)
def test_deletion_leaves_no_content(conversation, bob, settings, delete):
    settings.CONVERSATIONS_FULL_TEXT = True
    conversation.add_items([{"role": "user", "content": "Anybody?"}])
    conversation.replace_metadata({"topic": "new"}, changed_by="staff")
    other = Conversation.objects.create_with_items(owner=bob)
    other.replace_metadata({"topic": "other"}, changed_by="staff")
    delete(conversation)
    assert Conversation.objects.get() == other
    assert not Item.objects.exists()
    assert not ItemText.objects.exists()
    details = AccessRecord.objects.order_by("pk").values_list("details", flat=True)
    assert list(details) == [None, {"old": {}, "new": {"topic": "other"}}]


def change_and_save(conversation, bob) -> None:
    conversation.metadata = {"topic": "new"}
    conversation.save()


@pytest.mark.parametrize(
    "method",
    [
        change_and_save,
        lambda conversation, bob: conversation.save(update_fields=["metadata"]),
        lambda conversation, bob: Conversation.objects.filter(pk=conversation.pk).update(metadata={"topic": "new"}),
        lambda conversation, bob: Conversation.objects.update(owner=bob),
        lambda conversation, bob: Conversation.objects.bulk_update([conversation], ["metadata"]),
        lambda conversation, bob: Conversation.objects.update_or_create({"metadata": {}}, pk=conversation.pk),
        lambda conversation, bob: conversation.owner.conversations.update(metadata={}),
        lambda conversation, bob: bob.conversations.add(conversation),
    ],
)
def test_change_of_a_stored_conversation_is_refused_with_the_verb_to_use(conversation, alice, bob, method):
    verb = r"Change its metadata with conversation\.replace_metadata\(\{…\}\)"
    with pytest.raises(TypeError, match=verb), transaction.atomic(using=conversation.write_alias):
        method(conversation, bob)
    stored = Conversation.objects.get()
    assert (stored.metadata, stored.owner) == (DEMO, alice)
    assert find_differences([stored.pk]) == {}


@pytest.mark.parametrize(
    "options", [{"ignore_conflicts": True}, {"update_conflicts": True, "update_fields": ["owner"]}]
)
def test_bulk_creation_of_conversations_that_may_exist_is_refused(conversation, options):
    with pytest.raises(TypeError, match="import_conversations"):
        Conversation.objects.bulk_create([conversation], **options)


@pytest.mark.parametrize(
    ("method", "verb"),
    [
        (lambda item: item.save(), "add_items"),
        (lambda item: item.conversation.items.create(position=2, item_id="x", type="x", data={}), "add_items"),
        (lambda item: Item.objects.bulk_create([copy_of(item)]), "add_items"),
        (lambda item: item.conversation.items.bulk_create([copy_of(item)]), "add_items"),
        (lambda item: async_to_sync(Item.objects.all().abulk_create)([copy_of(item)]), "add_items"),
        (lambda item: Item.objects.update(data={}), "add_items"),
        (lambda item: item.conversation.items.filter(position=1).update(type="x"), "add_items"),
        (lambda item: Item.objects.bulk_update([item], ["data"]), "add_items"),
        (lambda item: Item.objects.update_or_create({"type": "x"}, pk=item.pk), "add_items"),
        (lambda item: Conversation.objects.create(owner=item.conversation.owner).items.add(item), "add_items"),
        (lambda item: item.delete(), "delete_item"),
        (lambda item: Item.objects.all().delete(), "delete_item"),
        (lambda item: item.conversation.items.all().delete(), "delete_item"),
        (lambda item: async_to_sync(item.conversation.items.all().adelete)(), "delete_item"),
    ],
)
def test_change_of_items_is_refused_with_the_verb_to_use(conversation, method, verb):
    stored = Item.objects.values().get()
    verbs = rf"conversation\.{verb}\("
    with pytest.raises(TypeError, match=verbs), transaction.atomic(using=conversation.write_alias):
        method(conversation.items.get())
    assert Item.objects.values().get() == stored
