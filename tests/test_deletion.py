import gc
import tracemalloc

import pytest
from django.db import connections

from conversations.db import batching
from conversations.deletion import BulkDelete, delete_conversation
from conversations.errors import APIError
from conversations.models import Conversation, Item, ItemText, MetadataPair
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query
from tests.plans import plan_steps

connection = connections[Conversation.objects.db]
# MariaDB and MySQL find only committed rows through a full-text index.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")


@pytest.fixture(autouse=True)
def full_text(settings):
    settings.CONVERSATIONS_FULL_TEXT = True


@pytest.fixture
def smallest_batches(monkeypatch):
    """Make batches as small as possible, as if each transaction took too long."""
    monkeypatch.setattr(batching, "FIRST_ROWS", 2)
    monkeypatch.setattr(batching, "MIN_ROWS", 2)
    monkeypatch.setattr(batching.AdaptiveBatch, "seconds", 0)


def create_conversation(owner, *texts, topic="old") -> Conversation:
    items = [item for text in texts for item in validate_items([{"role": "user", "content": text}])]
    return Conversation.objects.create_with_items(owner=owner, metadata={"topic": topic}, items=items)


def deletion(query="topic:old", **options) -> BulkDelete:
    return BulkDelete(Conversation.objects.all(), query=parse_query(query), **options)


def counts_and_positions() -> dict[str, tuple[int, list[int]]]:
    """Return the item count and the positions of the items of each conversation."""
    return {
        conversation.pk: (
            conversation.item_count,
            list(conversation.items.order_by("position").values_list("position", flat=True)),
        )
        for conversation in Conversation.objects.all()
    }


def are_tables_in_sync() -> bool:
    """Whether all rows have their conversation, the texts are those of the items, and the item counts are correct."""
    conversation_ids = set(Conversation.objects.values_list("pk", flat=True))
    positions = set(Item.objects.values_list("conversation", "position"))
    return (
        {pk for pk, _ in positions} <= conversation_ids
        and set(ItemText.objects.values_list("conversation", "position")) == positions
        and set(MetadataPair.objects.values_list("conversation", flat=True)) == conversation_ids
        and all(count == len(of_conversation) for count, of_conversation in counts_and_positions().values())
    )


def test_matching_conversations_are_deleted_from_every_table(alice, bob):
    for number in range(5):
        create_conversation(alice, *["hello"] * number)
    others = [create_conversation(owner, "hello", topic="new") for owner in (alice, bob)]
    run = deletion()
    list(run)
    assert (run.conversation_count, run.item_count, run.protected_count) == (5, 10, 0)
    for model, field in ((Conversation, "pk"), (Item, "conversation"), (ItemText, "conversation")):
        assert set(model.objects.values_list(field, flat=True)) == {conversation.pk for conversation in others}
    assert set(MetadataPair.objects.values_list("conversation", "value")) == {
        (conversation.pk, "new") for conversation in others
    }


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
    assert not counts_and_positions()


def test_every_transaction_keeps_tables_in_sync_and_deletes_the_oldest_first(alice, smallest_batches):
    conversations = [create_conversation(alice, *["hello"] * count) for count in (1, 7, 0, 2, 11)]
    conversations[1].delete_item(item_id=conversations[1].items.get(position=3).item_id)
    numbers = {conversation.pk: number for number, conversation in enumerate(conversations)}
    states = []
    for _ in deletion():
        assert are_tables_in_sync()
        states.append({numbers[pk]: positions for pk, (_, positions) in counts_and_positions().items()})
    assert {1: [4, 5, 6, 7], 2: [], 3: [1, 2], 4: list(range(1, 12))} in states
    assert {4: [11]} in states or {4: [10, 11]} in states
    oldest = [min(state, default=5) for state in states]
    assert oldest == sorted(oldest)
    assert states[-1] == {}


@pytest.mark.parametrize("query", ["topic:old", "refund", 'created>=2020-01-01 ("what else" OR nowhere) -never'])
def test_interrupted_deletion_can_be_resumed(query, alice, smallest_batches):
    texts = ["first", "second", "our refund policy", "and what else", *["more"] * 8]
    create_conversation(alice, *texts, topic="old")
    other = create_conversation(alice, "hello", topic="new")
    steps = 0
    while len(counts_and_positions()) > 1:
        run = iter(deletion(query))
        next(run)
        run.close()
        steps += 1
        assert are_tables_in_sync()
    assert steps > 4
    assert counts_and_positions() == {other.pk: (1, [1])}
    assert deletion("-nothing").matches.get() == other


@pytest.mark.parametrize(
    "query",
    [
        "@type:mcp_call",
        "@tool:refund",
        "@status:failed",
        "@has:unanswered_call",
        "@tool:find_order -@has:unanswered_call",
        "items>=9",
        "@tool:refund items>=2 -@type:reasoning",
    ],
)
def test_interrupted_deletion_by_items_finds_the_conversation_again(query, alice, smallest_batches):
    call = {"type": "function_call", "call_id": "1", "name": "find_order", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "1", "output": "Found."}
    failed = {"type": "mcp_call", "server_label": "shop", "name": "refund", "arguments": "{}", "status": "failed"}
    unanswered = [] if "-@has" in query else [{**call, "call_id": "2"}]
    messages = [{"role": "user", "content": "more"}] * 4
    items = validate_items([call, *messages, failed, *unanswered, output, *messages])
    Conversation.objects.create_with_items(owner=alice, items=items)
    other = create_conversation(alice, "hello")
    steps = 0
    while Conversation.objects.count() > 1:
        run = iter(deletion(query))
        next(run)
        run.close()
        steps += 1
    assert steps > 4
    assert Conversation.objects.get() == other


def test_items_appended_during_a_deletion_are_deleted_with_their_conversation(alice, smallest_batches):
    conversation = create_conversation(alice, *["hello"] * 9)
    run = deletion()
    steps = iter(run)
    next(steps)
    [item] = conversation.add_items(items=validate_items([{"role": "user", "content": "late"}]))
    assert item.position == 10
    assert counts_and_positions()[conversation.pk][1][-1] == 10
    list(steps)
    assert run.item_count == 10
    assert not any(model.objects.exists() for model in (Conversation, Item, ItemText, MetadataPair))


def test_conversations_created_during_a_deletion_are_kept(alice, smallest_batches):
    create_conversation(alice, *["hello"] * 5)
    steps = iter(deletion())
    next(steps)
    late = create_conversation(alice, "hello")
    list(steps)
    assert list(counts_and_positions()) == [late.pk]


def test_conversation_that_no_longer_matches_is_kept(alice, smallest_batches):
    create_conversation(alice, *["hello"] * 5)
    saved = create_conversation(alice, *["hello"] * 5)
    steps = iter(deletion())
    next(steps)
    saved.replace_metadata(metadata={"topic": "new"})
    list(steps)
    assert counts_and_positions() == {saved.pk: (5, [1, 2, 3, 4, 5])}


def test_conversation_deleted_by_others_meanwhile_does_not_stop_the_deletion(alice, smallest_batches):
    conversation = create_conversation(alice, *["hello"] * 9)
    create_conversation(alice, "hello")
    steps = iter(deletion())
    next(steps)
    delete_conversation(conversation)
    list(steps)
    assert not counts_and_positions()


@pytest.mark.slow
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
                gc.collect()  # Garbage in cycles would stay for a varying time.
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            gc.unfreeze()

    peak(6)  # Fill the statement caches of the database driver.
    small = peak(2)
    assert peak(6) < small * 1.3


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only its planner chooses a scan by the share of rows")
def test_deletion_scans_no_whole_table(alice):
    create_conversation(alice, *["hello"] * 1_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    plans = []

    def explain(execute, sql, params, many, context):
        if sql.startswith("DELETE"):
            plans.append(plan_steps(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        list(deletion())
    assert any("conversations_item_unique_position" in plan for plan in plans)
    assert not [step for plan in plans for step in plan if step.startswith("scan of")]
