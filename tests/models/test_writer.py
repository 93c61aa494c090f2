"""The single statement of PostgreSQL stores the same rows as the ORM."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.signals import post_save
from django.utils import timezone

from conversations import ids
from conversations.errors import APIError
from conversations.models import Conversation, Item, ItemText, MetadataPair
from conversations.owned_conversations import OwnedConversations
from conversations.schema.items import item_id_prefix, validate_items
from tests.plans import capture_statements

ITEMS = validate_items(
    [
        {"role": "user", "content": 'Zeilen\nund "Zeichen" \\ \u2028 \x1f 🦀 {}'},
        {"type": "compaction_trigger"},
        {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": '{"a": "b\\nc"}'},
        {"role": "user", "content": "%s %(id)s $1"},
        {"type": "custom_tool_call", "call_id": 'a\n"\0\\', "name": "\0", "input": "\\u0000\\\0"},
        {"type": "function_call_output", "call_id": "call_2", "output": "Error: no such order"},
        {"role": "user", "content": "…"},  # no words
    ]
)
METADATA = {"topic": "demo", "zwei\nZeilen": "'; --\n\t\\", "empty": "", "🦀": "%s"}


@pytest.fixture(autouse=True, params=[False, True], ids=["full text off", "full text on"])
def full_text(db, settings, request):
    settings.CONVERSATIONS_FULL_TEXT = request.param


def is_single_statement(statements):
    """Whether one statement was sent, not counting those for savepoints."""
    return sum(not sql.startswith(("SAVEPOINT", "RELEASE")) for sql, _ in statements) == 1


@contextmanager
def post_save_receiver():
    """Connect a post_save receiver, so that the writer uses the ORM, and yield the list of its calls."""
    saved = []

    def receive(instance, created, **kwargs):
        saved.append((instance, created))

    post_save.connect(receive, sender=Conversation)
    yield saved
    post_save.disconnect(receive, sender=Conversation)


def with_ids(items):
    """Return the items with ids, which the writer looks up, so that it uses the ORM."""
    return [
        item if item["type"] == "compaction_trigger" else item | {"id": ids.new_id(item_id_prefix(item["type"]))}
        for item in items
    ]


def stored_state(conversation):
    """Return the rows of a conversation in all tables, without ids and times."""
    row = Conversation.objects.get(pk=conversation.pk)
    items = list(row.items.order_by("position"))
    return {
        "conversation": (row.owner_id, row.metadata, row.item_count, row.last_position, row.call_balance),
        "is its last item's time": row.last_item_at == (items[-1].created_at if items else None),
        "pairs": sorted(row.metadata_pairs.values_list("owner", "key", "value")),
        "items": [
            (item.position, item.type, item.call_id, item.tool, item.status, list((item.data | {"id": ""}).items()))
            for item in items
        ],
        "texts": list(row.item_texts.order_by("position").values_list("position", "words")),
    }


def fields(instance):
    return {field.attname: getattr(instance, field.attname) for field in instance._meta.concrete_fields}


@pytest.mark.parametrize("items", [[], ITEMS[1:2], ITEMS[:1], ITEMS])
@pytest.mark.parametrize("metadata", [{}, METADATA])
def test_single_statement_creates_the_same_conversation_as_the_orm(alice, metadata, items):
    with post_save_receiver() as saved:
        by_orm = Conversation.objects.create_with_items(owner=alice, metadata=metadata, items=items)
    assert saved == [(by_orm, True)]
    with capture_statements() as statements:
        in_one = Conversation.objects.create_with_items(owner=alice, metadata=metadata, items=items)
    assert is_single_statement(statements) or connection.vendor != "postgresql"
    assert stored_state(in_one) == stored_state(by_orm)
    assert fields(in_one) == fields(Conversation.objects.get(pk=in_one.pk))
    in_one.replace_metadata(metadata={"is": "saved"})


@pytest.mark.parametrize("items", [ITEMS[:1], ITEMS])
@pytest.mark.parametrize("first", [[], ITEMS])
def test_single_statement_appends_the_same_items_as_the_orm(alice, first, items):
    by_orm, in_one = (Conversation.objects.create_with_items(owner=alice, items=first) for _ in range(2))
    by_orm.add_items(items=with_ids(items))
    with capture_statements() as statements:
        rows = in_one.add_items(items=items)
    assert is_single_statement(statements) or connection.vendor != "postgresql"
    assert stored_state(in_one) == stored_state(by_orm)
    assert fields(in_one) == fields(Conversation.objects.get(pk=in_one.pk))
    assert [fields(row) for row in rows] == [fields(Item.objects.get(pk=row.pk)) for row in rows]
    assert [row.conversation for row in rows] == [in_one] * len(rows)


@pytest.mark.parametrize("items", [ITEMS, with_ids(ITEMS)])
@pytest.mark.parametrize("is_loaded", [True, False])
def test_time_of_the_last_item_never_goes_back(alice, items, is_loaded):
    conversation = Conversation.objects.create_with_items(owner=alice, items=ITEMS)
    later = timezone.now() + timedelta(days=1)
    Conversation.objects.filter(pk=conversation.pk).update(last_item_at=later)  # The clock is set back now.
    if is_loaded:
        conversation.refresh_from_db()
    conversation.add_items(items=items)
    conversation.refresh_from_db()
    assert conversation.last_item_at == later


@pytest.mark.parametrize("items", [ITEMS, with_ids(ITEMS), ITEMS[1:2]])
def test_append_to_an_unknown_or_other_owners_conversation_is_not_found(alice, bob, items):
    conversation = Conversation.objects.create_with_items(owner=alice, items=ITEMS)
    before = stored_state(conversation)
    for owner, conversation_id in ((bob, conversation.pk), (alice, "conv_none")):
        with pytest.raises(APIError, match="not found"):
            OwnedConversations(owner).add_items(conversation_id, items=items)
    assert stored_state(conversation) == before
    assert Item.objects.count() == conversation.item_count


def test_failed_statement_stores_nothing(alice):
    existing = Conversation.objects.create_with_items(owner=alice, metadata=METADATA, items=ITEMS)
    tables = (Conversation, Item, ItemText, MetadataPair)
    before = [table.objects.count() for table in tables]
    without_type = [*ITEMS, {"type": None}]
    for store in (
        lambda: Conversation.objects.create_with_items(
            owner=alice, metadata=METADATA, items=without_type, validate=False
        ),
        lambda: existing.add_items(without_type, validate=False),
    ):
        with pytest.raises((IntegrityError, TypeError)), transaction.atomic():
            store()
    assert [table.objects.count() for table in tables] == before
