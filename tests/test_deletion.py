import gc
import tracemalloc

import pytest
from django.db import connection

from conversations.db import batching
from conversations.deletion import BulkDelete, delete_conversation
from conversations.errors import APIError
from conversations.models import Conversation, Item, ItemText, MetadataPair
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query
from tests.plans import plan_steps

# MariaDB and MySQL tell of words that are committed, and of no others.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")


@pytest.fixture(autouse=True)
def full_text(settings):
    settings.CONVERSATIONS_FULL_TEXT = True


@pytest.fixture
def smallest_batches(monkeypatch):
    """Each transaction takes so long that it has as few rows as may be."""
    monkeypatch.setattr(batching, "FIRST_ROWS", 2)
    monkeypatch.setattr(batching, "MIN_ROWS", 2)
    monkeypatch.setattr(batching.AdaptiveBatch, "seconds", 0)


def create_conversation(owner, *texts, topic="old") -> Conversation:
    items = [item for text in texts for item in validate_items([{"role": "user", "content": text}])]
    return Conversation.create_with_items(owner=owner, metadata={"topic": topic}, items=items)


def deletion(query="topic:old", **options) -> BulkDelete:
    return BulkDelete(Conversation.objects.all(), query=parse_query(query), **options)


def state() -> dict[str, tuple[int, list[int]]]:
    """By conversation, its counter, and the positions of its items."""
    return {
        conversation.pk: (
            conversation.item_count,
            list(conversation.items.order_by("position").values_list("position", flat=True)),
        )
        for conversation in Conversation.objects.all()
    }


def is_in_sync() -> bool:
    """Nothing is without its conversation, no text without its item, and each counter is right."""
    known = set(Conversation.objects.values_list("pk", flat=True))
    places = set(Item.objects.values_list("conversation", "position"))
    return (
        {pk for pk, _ in places} <= known
        and set(ItemText.objects.values_list("conversation", "position")) == places
        and set(MetadataPair.objects.values_list("conversation", flat=True)) == known
        and all(count == len(positions) for count, positions in state().values())
    )


def test_matching_conversations_are_deleted_from_every_table(alice, bob):
    for number in range(5):
        create_conversation(alice, *["hello"] * number)
    kept = [create_conversation(owner, "hello", topic="new") for owner in (alice, bob)]
    run = deletion()
    list(run)
    assert (run.conversation_count, run.item_count, run.protected_count) == (5, 10, 0)
    for model, field in ((Conversation, "pk"), (Item, "conversation"), (ItemText, "conversation")):
        assert set(model.objects.values_list(field, flat=True)) == {conversation.pk for conversation in kept}
    assert set(MetadataPair.objects.values_list("conversation", "value")) == {(each.pk, "new") for each in kept}


def test_invalid_query_is_refused_before_anything_is_deleted(alice, settings):
    settings.CONVERSATIONS_FULL_TEXT = False
    with pytest.raises(APIError, match="full-text search is off here"):
        deletion("refund")


def test_query_without_matches_deletes_nothing(db):
    run = deletion()
    assert list(run) == []
    assert run.conversation_count == 0


def test_short_conversations_are_deleted_in_one_batch(alice, django_assert_max_num_queries):
    for _ in range(60):
        create_conversation(alice, "one", "two")
    with django_assert_max_num_queries(30):
        assert len(list(deletion())) == 1
    assert not state()


def test_every_transaction_keeps_tables_in_sync_and_deletes_the_oldest_first(alice, smallest_batches):
    conversations = [create_conversation(alice, *["hello"] * count) for count in (1, 7, 0, 2, 11)]
    conversations[1].delete_item(item_id=conversations[1].items.get(position=3).item_id)
    numbers = {conversation.pk: number for number, conversation in enumerate(conversations)}
    seen = []
    for _ in deletion():
        assert is_in_sync()
        seen.append({numbers[pk]: positions for pk, (_, positions) in state().items()})
    assert {1: [4, 5, 6, 7], 2: [], 3: [1, 2], 4: list(range(1, 12))} in seen
    assert {4: [11]} in seen or {4: [10, 11]} in seen
    assert [min(each, default=5) for each in seen] == sorted(min(each, default=5) for each in seen)
    assert seen[-1] == {}


@pytest.mark.parametrize("query", ["topic:old", "refund", 'created>=2020-01-01 ("what else" OR nowhere) -never'])
def test_interrupted_deletion_can_be_resumed(query, alice, smallest_batches):
    texts = ["first", "second", "our refund policy", "and what else", *["more"] * 8]
    create_conversation(alice, *texts, topic="old")
    other = create_conversation(alice, "hello", topic="new")
    steps = 0
    while len(state()) > 1:
        run = iter(deletion(query))
        next(run)
        run.close()
        steps += 1
        assert is_in_sync()
    assert steps > 4
    assert state() == {other.pk: (1, [1])}
    assert deletion("-nothing").matches.get() == other


def test_items_appended_during_a_deletion_are_deleted_with_their_conversation(alice, smallest_batches):
    conversation = create_conversation(alice, *["hello"] * 9)
    run = deletion()
    steps = iter(run)
    next(steps)
    [item] = conversation.add_items(items=validate_items([{"role": "user", "content": "late"}]))
    assert item.position == 10
    assert state()[conversation.pk][1][-1] == 10
    list(steps)
    assert run.item_count == 10
    assert not any(model.objects.exists() for model in (Conversation, Item, ItemText, MetadataPair))


def test_conversations_created_during_a_deletion_are_kept(alice, smallest_batches):
    create_conversation(alice, *["hello"] * 5)
    steps = iter(deletion())
    next(steps)
    late = create_conversation(alice, "hello")
    list(steps)
    assert list(state()) == [late.pk]


def test_conversation_that_no_longer_matches_is_kept(alice, smallest_batches):
    create_conversation(alice, *["hello"] * 5)
    saved = create_conversation(alice, *["hello"] * 5)
    steps = iter(deletion())
    next(steps)
    saved.replace_metadata(metadata={"topic": "kept"})
    list(steps)
    assert state() == {saved.pk: (5, [1, 2, 3, 4, 5])}


def test_conversation_deleted_by_others_meanwhile_does_not_stop_the_deletion(alice, smallest_batches):
    conversation = create_conversation(alice, *["hello"] * 9)
    create_conversation(alice, "hello")
    steps = iter(deletion())
    next(steps)
    delete_conversation(conversation)
    list(steps)
    assert not state()


def test_memory_does_not_grow_with_items_or_conversations(alice):
    def peak(count: int) -> int:
        conversation = create_conversation(alice, topic="x" * 500)
        for _ in range(count):
            conversation.add_items(items=validate_items([{"role": "user", "content": "x" * 500}]) * 100)
        many = [Conversation(owner=alice, created_at=conversation.created_at) for _ in range(count * 150)]
        Conversation.objects.bulk_create(many)
        gc.freeze()
        tracemalloc.start()
        try:
            for _ in deletion("created>=2020-01-01", max_rows=100):
                gc.collect()  # what is in cycles would be there for a time that varies
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.unfreeze()

    peak(6)  # fills what drivers keep of statements
    small = peak(2)
    assert peak(6) < small * 1.3


@pytest.mark.skipif(connection.vendor != "postgresql", reason="its planner counts on how much of a table is asked for")
def test_deletion_scans_no_whole_table(alice):
    create_conversation(alice, *["hello"] * 1_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    read = []

    def explain(execute, sql, params, many, context):
        if sql.startswith("DELETE"):
            read.append(plan_steps(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        list(deletion())
    assert any("conversations_item_unique_position" in of_statement for of_statement in read)
    assert not [step for of_statement in read for step in of_statement if step.startswith("scan of")]
