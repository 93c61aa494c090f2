"""The end user of a conversation, wherever the conversation is copied, moved or selected from Python."""

import io

import pytest
from django.core.management import call_command
from django.db import connection

from conversations.errors import APIError
from conversations.models import Conversation, DeletedConversation
from conversations.owned_conversations import OwnedConversations
from conversations.transfer.exporter import Export
from conversations.transfer.importer import import_conversations
from conversations.trash import move_to_trash, restore
from tests.plans import analyze, capture_statements, plan_steps

HELLO = {"role": "user", "content": "Hello!"}


@pytest.fixture
def anns(alice):
    return Conversation.objects.create_with_items(
        owner=alice, metadata={"topic": "demo"}, items=[HELLO], end_user="ann"
    )


def end_users():
    return list(Conversation.objects.order_by("pk").values_list("end_user", flat=True))


def test_queryset_narrows_the_conversations_of_an_owner_to_an_end_user(alice, bob, anns):
    Conversation.objects.create_with_items(owner=alice, end_user="ben")
    Conversation.objects.create_with_items(owner=alice)
    Conversation.objects.create_with_items(owner=bob, end_user="ann")
    assert list(Conversation.objects.visible_to(alice, end_user="ann")) == [anns]
    assert Conversation.objects.visible_to(alice).count() == 3
    assert OwnedConversations(alice, end_user="ann").get(anns.pk) == anns
    for conversations in (OwnedConversations(alice, end_user="ben"), OwnedConversations(bob, end_user="ann")):
        with pytest.raises(APIError, match="not found"):
            conversations.get(anns.pk)


@pytest.mark.parametrize("end_user", ["", "x" * 257, 5, "a\x00b"])
def test_name_of_an_end_user_is_validated_from_python(alice, end_user):
    with pytest.raises(APIError) as error:
        Conversation.objects.create_with_items(owner=alice, end_user=end_user)
    assert error.value.param == "end_user"
    assert not Conversation.objects.exists()


def test_capped_count_is_of_the_end_user(alice, anns):
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, end_user="ben")
    conversations = Conversation.objects.visible_to(alice, end_user="ann")
    for query in ("topic:demo", "topic:*", "-topic:x", "topic:demo OR topic:x"):
        assert conversations.capped_count(10, matching=query) == 1
        assert conversations.page(limit=10, matching=query).rows == [anns]
    assert conversations.capped_count(10, matching="topic:x") == 0


def test_export_and_import_keep_the_end_user(alice, anns):
    Conversation.objects.create_with_items(owner=alice)
    exported = b"".join(Export(Conversation.objects.all()))
    assert exported.count(b'"end_user":"ann"') == 1
    assert exported.count(b"end_user") == 1
    Conversation.objects.all().delete()
    for kind in ("added", "present"):
        assert [outcome.kind for outcome in import_conversations(io.BytesIO(exported))] == [kind] * 2
        assert end_users() == ["ann", None]
    Conversation.objects.update(end_user="ben")
    reasons = [outcome.reason for outcome in import_conversations(io.BytesIO(exported))]
    assert all("exists with a different end user" in reason for reason in reasons)


@pytest.mark.parametrize("end_user", [b'""', b"null", b"7", b'"' + b"x" * 257 + b'"'])
def test_line_with_an_invalid_end_user_is_bad(anns, end_user):
    exported = b"".join(Export(Conversation.objects.all())).replace(b'"end_user":"ann"', b'"end_user":' + end_user)
    Conversation.objects.all().delete()
    outcomes = list(import_conversations(io.BytesIO(exported)))
    assert outcomes[0].kind == "bad"
    assert "end_user" in outcomes[0].reason
    assert not Conversation.objects.exists()


def test_trash_keeps_the_end_user_and_gives_it_back(alice, anns):
    copy = move_to_trash(anns)
    assert DeletedConversation.objects.get().end_user == "ann"
    restore(copy)
    assert end_users() == ["ann"]


def test_fork_keeps_the_end_user(anns, bob):
    assert anns.fork().end_user == "ann"
    anns.fork(owner=bob)
    assert end_users() == ["ann"] * 3


def test_items_are_copied_within_an_end_user_only(alice, anns):
    reference = [{"type": "item_reference", "id": anns.items.get().item_id}]
    Conversation.objects.create_with_items(owner=alice, end_user="ann", items=reference)
    for end_user in ("ben", None):
        conversation = Conversation.objects.create_with_items(owner=alice, end_user=end_user)
        if end_user is None:  # The owner may copy from any end user to a conversation of its own.
            conversation.add_items(reference)
            continue
        with pytest.raises(APIError, match="not found"):
            conversation.add_items(reference)
        with pytest.raises(APIError, match="not found"):
            conversation.add_items(reference, user=alice)


def test_command_creates_a_key_that_requires_an_end_user(alice):
    call_command("create_api_key", "alice", "--end-user-required", stdout=io.StringIO())
    assert alice.conversations_api_keys.get().end_user_required


# MariaDB and MySQL commit before they analyze a table.
@pytest.mark.django_db(transaction=connection.vendor == "mysql")
@pytest.mark.parametrize("query", ["", "topic:demo", "-topic:demo"])
def test_page_of_an_end_user_reads_the_index_of_end_users(alice, query):
    Conversation.objects.bulk_create(
        Conversation(owner=alice, metadata={"topic": "demo"}, end_user=f"user-{number % 100}" if number % 2 else None)
        for number in range(2_000)
    )
    analyze()
    with capture_statements() as statements:
        Conversation.objects.visible_to(alice, end_user="user-1").page(limit=5, matching=query)
    [(sql, parameters)] = statements
    steps = plan_steps(sql, parameters)
    assert "conversations_end_user" in steps
    assert "scan of Conversation" not in steps


def test_conversation_without_an_end_user_is_in_no_index_of_end_users(db):
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, Conversation._meta.db_table)
    assert constraints["conversations_end_user"]["columns"] == ["end_user", "owner_id", "id"]
    [index] = [each for each in Conversation._meta.indexes if each.name == "conversations_end_user"]
    sql = str(index.create_sql(Conversation, connection.SchemaEditorClass(connection, collect_sql=True)))
    assert ("IS NOT NULL" in sql) == connection.features.supports_partial_indexes
