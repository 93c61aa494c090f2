"""Forks and rewinds of conversations."""

import pytest
from django.db import IntegrityError

from conversations.deletion import delete_conversation
from conversations.errors import APIError
from conversations.metadata_index import find_differences
from conversations.models import Conversation, Item, ItemText, MetadataPair, writer
from conversations.trash import move_to_trash, restore
from tests.plans import capture_statements

CALL = {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"}


@pytest.fixture(autouse=True, params=[False, True], ids=["full text off", "full text on"])
def full_text(db, settings, request):
    settings.CONVERSATIONS_FULL_TEXT = request.param


@pytest.fixture
def origin(alice) -> Conversation:
    """A conversation of five items, the second of which was deleted."""
    texts = [{"role": "user", "content": f"{word} \U0001f980"} for word in ("one", "two", "three", "four")]
    origin = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=[*texts, CALL])
    origin.delete_item(origin.items.get(position=2).item_id)
    return origin


def rows(conversation):
    """Return the rows of a conversation, without its id and the keys of its items."""
    stored = Conversation.objects.get(pk=conversation.pk)
    fields = [field.attname for field in Item._meta.concrete_fields if field.name not in ("id", "conversation")]
    return {
        "counters": (stored.item_count, stored.last_position, stored.last_item_at),
        "items": list(stored.items.values(*fields)),
        "texts": list(stored.item_texts.order_by("position").values_list("position", "words")),
        "pairs": sorted(stored.metadata_pairs.values_list("owner", "key", "value")),
    }


def test_fork_is_a_copy_whose_items_keep_their_ids(origin, alice, settings):
    before = rows(origin)
    fork = origin.fork()
    assert rows(fork) == rows(origin) == before
    assert (fork.forked_from, fork.owner, fork.metadata) == (origin.pk, alice, {"topic": "demo"})
    assert (fork.item_count, fork.last_position, fork.last_item_at) == before["counters"]
    assert fork.created_at > origin.created_at
    assert find_differences([fork.pk]) == {}
    assert bool(before["texts"]) is settings.CONVERSATIONS_FULL_TEXT


def test_keys_of_copied_items_are_in_the_order_of_their_positions(origin):
    assert list(origin.fork().items.order_by("pk").values_list("position", flat=True)) == [1, 3, 4, 5]


@pytest.mark.parametrize(("position", "count"), [(1, 1), (3, 2), (5, 4)])
def test_fork_ends_with_the_item_that_after_names(origin, position, count):
    last = origin.items.get(position=position)
    fork = origin.fork(after=last.item_id, metadata={"attempt": "2"})
    assert (fork.item_count, fork.last_position, fork.last_item_at) == (count, position, last.created_at)
    assert rows(fork)["items"] == rows(origin)["items"][:count]
    assert rows(fork)["pairs"] == [(origin.owner_id, "attempt", "2")]


def test_fork_and_origin_change_independently(origin):
    fork = origin.fork()
    before = rows(fork)
    origin.rewind(after=origin.items.first().item_id)
    origin.replace_metadata({})
    assert rows(fork) == before
    [added] = fork.add_items([CALL])
    assert added.position == 6
    assert origin.items.count() == 1


def test_empty_conversation_can_be_forked(alice):
    fork = Conversation.objects.create_with_items(owner=alice).fork()
    assert (fork.item_count, fork.last_position, fork.last_item_at) == (0, 0, None)


def test_fork_reads_the_stored_metadata(origin):
    stale = Conversation.objects.get()
    origin.replace_metadata({"topic": "new"})
    assert stale.fork().metadata == {"topic": "new"}


def test_fork_may_have_another_owner(origin, bob):
    fork = origin.fork(owner=bob)
    assert Conversation.objects.visible_to(bob).with_metadata(topic="demo").get() == fork
    assert origin.owner != bob


@pytest.mark.parametrize("deleted", [delete_conversation, move_to_trash])
def test_reference_to_the_origin_survives_it_and_the_trash(origin, deleted):
    origin_id, fork = origin.pk, origin.fork()
    deleted(origin)
    fork.refresh_from_db()
    assert fork.forked_from == origin_id
    restore(move_to_trash(fork))
    assert Conversation.objects.get().forked_from == origin_id


@pytest.mark.parametrize(
    "options", [{"after": "msg_none"}, {"after": "not an id"}, {"metadata": {"a": 1}}, {"metadata": {"a": "\0"}}]
)
def test_failed_fork_makes_nothing(origin, options):
    with pytest.raises(APIError):
        origin.fork(**options)
    assert Conversation.objects.get() == origin
    assert Item.objects.count() == 4


def test_fork_that_fails_after_its_row_was_inserted_makes_nothing(origin, settings):
    pairs = MetadataPair.objects.count()
    with pytest.raises(IntegrityError):
        origin.fork(metadata={"topic": None}, validate=False)
    settings.CONVERSATIONS_REDACTORS = ["tests.redactors.fail"]
    with pytest.raises(RuntimeError, match="broken"):
        origin.fork()
    assert Conversation.objects.get() == origin
    assert (Item.objects.count(), MetadataPair.objects.count()) == (4, pairs)


def test_100_000_items_can_be_forked():
    assert writer.MAX_FORKED_ITEMS == 100_000


def test_too_long_conversation_is_not_forked(origin, monkeypatch):
    monkeypatch.setattr(writer, "MAX_FORKED_ITEMS", 3)
    with pytest.raises(APIError) as raised:
        origin.fork()
    assert (raised.value.status, raised.value.code) == (400, "too_many_items")
    assert Conversation.objects.get() == origin
    assert origin.fork(after=origin.items.get(position=4).item_id).item_count == 3


def test_number_of_statements_does_not_depend_on_the_number_of_items(origin, alice):
    long = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=[CALL] * 500)
    counts = set()
    for conversation in (origin, long):
        with capture_statements() as statements:
            conversation.fork()
        counts.add(len(statements))
    assert len(counts) == 1


def test_rewind_deletes_what_follows_an_item(origin, settings):
    third = origin.items.get(position=3)
    kept = rows(origin)
    origin.rewind(after=third.item_id)
    after = rows(origin)
    assert after["items"] == kept["items"][:2]
    assert after["texts"] == [row for row in kept["texts"] if row[0] <= 3]
    assert (origin.item_count, origin.last_position) == after["counters"][:2] == (2, 5)
    [added] = origin.add_items([CALL])
    assert added.position == 6


def test_rewind_to_the_last_item_changes_nothing(origin):
    before = rows(origin)
    origin.rewind(after=origin.items.last().item_id)
    assert rows(origin) == before


def test_rewind_to_the_start_leaves_an_empty_conversation(origin):
    origin.rewind(after=None)
    assert (origin.item_count, Item.objects.count(), ItemText.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize("after", ["msg_none", "not an id"])
def test_rewind_to_an_unknown_item_deletes_nothing(origin, after):
    before = rows(origin)
    with pytest.raises(APIError) as raised:
        origin.rewind(after=after)
    assert (raised.value.status, raised.value.param) == (404, "after")
    assert rows(origin) == before


def test_deleted_conversation_can_neither_be_forked_nor_rewound(origin):
    stale = Conversation.objects.get()
    delete_conversation(origin)
    for verb in (stale.fork, lambda: stale.rewind(after=None)):
        with pytest.raises(APIError, match="not found"):
            verb()
    assert not Conversation.objects.exists()
