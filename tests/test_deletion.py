import gc
import tracemalloc

import pytest
from django.db import connection

from conversations.db import batching
from conversations.deletion import BulkDelete
from conversations.errors import APIError
from conversations.models import Conversation, Item, ItemText, MetadataPair
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query
from tests.plans import steps

# MariaDB and MySQL tell of words that are committed, and of no others.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")


@pytest.fixture(autouse=True)
def full_text(settings):
    settings.CONVERSATIONS_FULL_TEXT = True


@pytest.fixture
def slow(monkeypatch):
    """Each transaction takes so long that it has as few rows as may be."""
    monkeypatch.setattr(batching, "FIRST", 2)
    monkeypatch.setattr(batching, "FEWEST", 2)
    monkeypatch.setattr(batching.AdaptiveBatch, "seconds", 0)


def conversation_of(owner, *texts, topic="old") -> Conversation:
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


def is_in_step() -> bool:
    """Nothing is without its conversation, no text without its item, and each counter is right."""
    known = set(Conversation.objects.values_list("pk", flat=True))
    places = set(Item.objects.values_list("conversation", "position"))
    return (
        {pk for pk, _ in places} <= known
        and set(ItemText.objects.values_list("conversation", "position")) == places
        and set(MetadataPair.objects.values_list("conversation", flat=True)) == known
        and all(count == len(positions) for count, positions in state().values())
    )


def test_what_matches_is_in_no_table_afterwards(alice, bob):
    for number in range(5):
        conversation_of(alice, *["hello"] * number)
    kept = [conversation_of(owner, "hello", topic="new") for owner in (alice, bob)]
    run = deletion()
    list(run)
    assert (run.conversation_count, run.item_count, run.kept_count) == (5, 10, 0)
    for model, field in ((Conversation, "pk"), (Item, "conversation"), (ItemText, "conversation")):
        assert set(model.objects.values_list(field, flat=True)) == {conversation.pk for conversation in kept}
    assert set(MetadataPair.objects.values_list("conversation", "value")) == {(each.pk, "new") for each in kept}


def test_it_is_told_what_may_not_be_asked_before_anything_is_deleted(alice, settings):
    settings.CONVERSATIONS_FULL_TEXT = False
    with pytest.raises(APIError, match="full-text search is off here"):
        deletion("refund")


def test_of_nothing_nothing_is_deleted(db):
    run = deletion()
    assert list(run) == []
    assert run.conversation_count == 0


def test_short_ones_go_together(alice, django_assert_max_num_queries):
    for _ in range(60):
        conversation_of(alice, "one", "two")
    with django_assert_max_num_queries(30):
        assert len(list(deletion())) == 1
    assert not state()


def test_after_each_transaction_everything_is_in_step_and_the_oldest_are_gone_first(alice, slow):
    conversations = [conversation_of(alice, *["hello"] * count) for count in (1, 7, 0, 2, 11)]
    conversations[1].delete_item(item_id=conversations[1].items.get(position=3).item_id)
    numbers = {conversation.pk: number for number, conversation in enumerate(conversations)}
    seen = []
    for _ in deletion():
        assert is_in_step()
        seen.append({numbers[pk]: positions for pk, (_, positions) in state().items()})
    assert {1: [4, 5, 6, 7], 2: [], 3: [1, 2], 4: list(range(1, 12))} in seen
    assert {4: [11]} in seen or {4: [10, 11]} in seen
    assert [min(each, default=5) for each in seen] == sorted(min(each, default=5) for each in seen)
    assert seen[-1] == {}


@pytest.mark.parametrize("query", ["topic:old", "refund", 'created>=2020-01-01 ("what else" OR nowhere) -never'])
def test_what_was_stopped_half_way_goes_on(query, alice, slow):
    texts = ["first", "second", "our refund policy", "and what else", *["more"] * 8]
    conversation_of(alice, *texts, topic="old")
    other = conversation_of(alice, "hello", topic="new")
    steps = 0
    while len(state()) > 1:
        run = iter(deletion(query))
        next(run)
        run.close()
        steps += 1
        assert is_in_step()
    assert steps > 4
    assert state() == {other.pk: (1, [1])}
    assert deletion("-nothing").matches.get() == other


def test_what_is_appended_between_two_slices_is_stored_and_goes_with_the_rest(alice, slow):
    conversation = conversation_of(alice, *["hello"] * 9)
    run = deletion()
    steps = iter(run)
    next(steps)
    [item] = conversation.add_items(items=validate_items([{"role": "user", "content": "late"}]))
    assert item.position == 10
    assert state()[conversation.pk][1][-1] == 10
    list(steps)
    assert run.item_count == 10
    assert not any(model.objects.exists() for model in (Conversation, Item, ItemText, MetadataPair))


def test_what_comes_while_it_runs_stays(alice, slow):
    conversation_of(alice, *["hello"] * 5)
    steps = iter(deletion())
    next(steps)
    late = conversation_of(alice, "hello")
    list(steps)
    assert list(state()) == [late.pk]


def test_what_no_longer_matches_when_its_turn_comes_stays(alice, slow):
    conversation_of(alice, *["hello"] * 5)
    saved = conversation_of(alice, *["hello"] * 5)
    steps = iter(deletion())
    next(steps)
    saved.replace_metadata(metadata={"topic": "kept"})
    list(steps)
    assert state() == {saved.pk: (5, [1, 2, 3, 4, 5])}


def test_what_somebody_else_deletes_meanwhile_holds_up_nothing(alice, slow):
    conversation = conversation_of(alice, *["hello"] * 9)
    conversation_of(alice, "hello")
    steps = iter(deletion())
    next(steps)
    conversation.delete_with_items()
    list(steps)
    assert not state()


def test_memory_does_not_grow_with_items_or_conversations(alice):
    def peak(count: int) -> int:
        conversation = conversation_of(alice, topic="x" * 500)
        for _ in range(count):
            conversation.add_items(items=validate_items([{"role": "user", "content": "x" * 500}]) * 100)
        many = [Conversation(owner=alice, created_at=conversation.created_at) for _ in range(count * 150)]
        Conversation.objects.bulk_create(many)
        gc.freeze()
        tracemalloc.start()
        try:
            for _ in deletion("created>=2020-01-01", most_rows=100):
                gc.collect()  # what is in cycles would be there for a time that varies
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.unfreeze()

    peak(6)  # fills what drivers keep of statements
    small = peak(2)
    assert peak(6) < small * 1.3


@pytest.mark.skipif(connection.vendor != "postgresql", reason="its planner counts on how much of a table is asked for")
def test_no_table_is_read_whole_though_one_conversation_is_most_of_it(alice):
    conversation_of(alice, *["hello"] * 1_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    read = []

    def explain(execute, sql, params, many, context):
        if sql.startswith("DELETE"):
            read.append(steps(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        list(deletion())
    assert any("conversations_item_unique_position" in of_statement for of_statement in read)
    assert not [step for of_statement in read for step in of_statement if step.startswith("scan of")]
