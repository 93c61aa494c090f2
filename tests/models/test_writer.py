"""What PostgreSQL does in one statement is what the ORM does in several."""

from contextlib import contextmanager

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.signals import post_save

from conversations import ids
from conversations.errors import APIError
from conversations.models import Conversation, Item, ItemText, MetadataPair, OwnedConversations
from conversations.schema.items import item_id_prefix, validate_items
from tests.plans import capture_statements

ITEMS = validate_items(
    [
        {"role": "user", "content": 'Zeilen\nund "Zeichen" \\ \u2028 \x1f 🦀 {}'},
        {"type": "compaction_trigger"},
        {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": '{"a": "b\\nc"}'},
        {"role": "user", "content": "%s %(id)s $1"},
        {"role": "user", "content": "…"},  # no words
    ]
)
METADATA = {"topic": "demo", "zwei\nZeilen": "'; --\n\t\\", "empty": "", "🦀": "%s"}


@pytest.fixture(autouse=True, params=[False, True], ids=["full text off", "full text on"])
def full_text(db, settings, request):
    settings.CONVERSATIONS_FULL_TEXT = request.param


def is_single_statement(statements):
    """But for those of a savepoint."""
    return sum(not sql.startswith(("SAVEPOINT", "RELEASE")) for sql, _ in statements) == 1


@contextmanager
def listener():
    """A host's, who hears of what the ORM saves."""
    saved = []

    def listen(instance, created, **kwargs):
        saved.append((instance, created))

    post_save.connect(listen, sender=Conversation)
    yield saved
    post_save.disconnect(listen, sender=Conversation)


def with_ids(items):
    """Which are looked up first, and so in several statements."""
    return [
        item if item["type"] == "compaction_trigger" else item | {"id": ids.new_id(item_id_prefix(item["type"]))}
        for item in items
    ]


def stored_state(conversation):
    """All there is of a conversation, but for ids and times."""
    row = Conversation.objects.get(pk=conversation.pk)
    items = list(row.items.order_by("position"))
    return {
        "conversation": (row.owner_id, row.metadata, row.item_count, row.last_position),
        "is its last item's time": row.last_item_at == (items[-1].created_at if items else None),
        "pairs": sorted(row.metadata_pairs.values_list("owner", "key", "value")),
        "items": [(item.position, item.type, list((item.data | {"id": ""}).items())) for item in items],
        "texts": list(row.item_texts.order_by("position").values_list("position", "words")),
    }


def fields(instance):
    return {field.attname: getattr(instance, field.attname) for field in instance._meta.concrete_fields}


@pytest.mark.parametrize("items", [[], ITEMS[1:2], ITEMS[:1], ITEMS])
@pytest.mark.parametrize("metadata", [{}, METADATA])
def test_single_statement_creates_the_same_conversation_as_the_orm(alice, metadata, items):
    with listener() as saved:
        by_orm = Conversation.create_with_items(owner=alice, metadata=metadata, items=items)
    assert saved == [(by_orm, True)]
    with capture_statements() as statements:
        at_once = Conversation.create_with_items(owner=alice, metadata=metadata, items=items)
    assert is_single_statement(statements) or connection.vendor != "postgresql"
    assert stored_state(at_once) == stored_state(by_orm)
    assert fields(at_once) == fields(Conversation.objects.get(pk=at_once.pk))
    at_once.replace_metadata(metadata={"is": "saved"})


@pytest.mark.parametrize("items", [ITEMS[:1], ITEMS])
@pytest.mark.parametrize("first", [[], ITEMS])
def test_single_statement_appends_the_same_items_as_the_orm(alice, first, items):
    by_orm, at_once = (Conversation.create_with_items(owner=alice, items=first) for _ in range(2))
    by_orm.add_items(items=with_ids(items))
    with capture_statements() as statements:
        rows = at_once.add_items(items=items)
    assert is_single_statement(statements) or connection.vendor != "postgresql"
    assert stored_state(at_once) == stored_state(by_orm)
    assert fields(at_once) == fields(Conversation.objects.get(pk=at_once.pk))
    assert [fields(row) for row in rows] == [fields(Item.objects.get(pk=row.pk)) for row in rows]
    assert [row.conversation for row in rows] == [at_once] * len(rows)


@pytest.mark.parametrize("items", [ITEMS, with_ids(ITEMS), ITEMS[1:2]])
def test_append_to_an_unknown_or_other_owners_conversation_is_not_found(alice, bob, items):
    conversation = Conversation.create_with_items(owner=alice, items=ITEMS)
    before = stored_state(conversation)
    for owner, conversation_id in ((bob, conversation.pk), (alice, "conv_none")):
        with pytest.raises(APIError, match="not found"):
            OwnedConversations(owner).add_items(conversation_id, items=items)
    assert stored_state(conversation) == before
    assert Item.objects.count() == conversation.item_count


def test_every_verb_refuses_the_conversation_of_another_owner(alice, bob):
    conversation = Conversation.create_with_items(owner=alice, items=ITEMS)
    item = conversation.items.earliest("position")
    conversations = OwnedConversations(bob)
    for call in (
        lambda: conversations.get(conversation.pk),
        lambda: conversations.items_page(conversation.pk, limit=1, order="asc"),
        lambda: conversations.items_page(conversation.pk, limit=1, order="asc", after=item.item_id),
        lambda: conversations.item_data(conversation.pk, item.item_id),
        lambda: conversations.add_items(conversation.pk, items=ITEMS),
    ):
        with pytest.raises(APIError, match=f"Conversation with id '{conversation.pk}' not found"):
            call()
    assert OwnedConversations(alice).get(conversation.pk) == conversation
    assert OwnedConversations(alice).item_data(conversation.pk, item.item_id) == item.data


def test_failed_statement_stores_nothing(alice):
    existing = Conversation.create_with_items(owner=alice, metadata=METADATA, items=ITEMS)
    tables = (Conversation, Item, ItemText, MetadataPair)
    before = [table.objects.count() for table in tables]
    without_type = [*ITEMS, {"type": None}]
    for store in (
        lambda: Conversation.create_with_items(owner=alice, metadata=METADATA, items=without_type),
        lambda: existing.add_items(items=without_type),
    ):
        with pytest.raises((IntegrityError, TypeError)), transaction.atomic():
            store()
    assert [table.objects.count() for table in tables] == before
