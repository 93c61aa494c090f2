import json
import tracemalloc
from io import BytesIO

import pytest
from django.http import StreamingHttpResponse
from hypothesis import given

from conversations.errors import APIError
from conversations.models import Conversation, Item, MetadataPair
from conversations.schema.items import ITEM_TYPES, validate_items
from conversations.schema.query.parser import parse_query
from conversations.transfer import exporter
from conversations.transfer.exporter import Export
from conversations.transfer.importer import import_conversations
from tests.schema.golden import ACCEPTED
from tests.search import random_queries
from tests.transfer.exports import ODD_METADATA, export, messages


def lines(**options) -> list[dict]:
    return [json.loads(line) for line in export(**options).splitlines()]


def stored_rows() -> list[list[tuple]]:
    conversations = Conversation.objects.order_by("pk").values_list(
        "pk", "owner", "created_at", "metadata", "item_count", "last_position", "last_item_at"
    )
    items = Item.objects.order_by("conversation_id", "position")
    pairs = MetadataPair.objects.order_by("conversation_id", "key")
    return [
        [(*row[:3], json.dumps(row[3]), *row[4:]) for row in conversations],
        [
            (*row[:-1], json.dumps(row[-1]))
            for row in items.values_list("conversation", "position", "item_id", "type", "call_id", "created_at", "data")
        ],
        list(pairs.values_list("conversation", "owner", "key", "value")),
    ]


@pytest.fixture
def random_conversations(alice, monkeypatch) -> list[Conversation]:
    monkeypatch.setattr(exporter, "CONVERSATIONS_PER_QUERY", 7)
    return random_queries.conversations_of(alice, count=40)


def test_exported_conversations_are_restored_by_import(alice, bob):
    stored = [case["sent"] for case in ACCEPTED.values()]
    for start in range(0, len(stored), 20):
        items = validate_items(stored[start : start + 20])
        Conversation.objects.create_with_items(
            owner=alice, items=[item for item in items if item["type"] != "item_reference"], metadata=ODD_METADATA
        )
    unknown = [{"type": "hologram", "id": "item_1", "data": {"b": None, "a": [1.0, -(2**63), {"\0": "\x7f\ud7ff\0"}]}}]
    Conversation.objects.create_with_items(owner=bob, items=unknown, validate=False)
    with_gaps = Conversation.objects.create_with_items(owner=bob, items=messages("1", "2", "3", "4"))
    for position in (1, 3, 4):
        with_gaps.delete_item(item_id=with_gaps.items.get(position=position).item_id)
    emptied = Conversation.objects.create_with_items(owner=alice, items=messages("1"))
    emptied.delete_item(item_id=emptied.items.get().item_id)
    Conversation.objects.create_with_items(owner=alice)
    assert set(Item.objects.values_list("type", flat=True)) == (
        ITEM_TYPES.keys() - {"item_reference", "compaction_trigger"} | {"hologram"}
    )

    before, text = stored_rows(), export()
    Conversation.objects.all().delete()
    assert [outcome.kind for outcome in import_conversations(BytesIO(text))] == ["added"] * len(before[0])
    assert stored_rows() == before
    assert export() == text
    [added] = Conversation.objects.get(pk=with_gaps.pk).add_items(items=messages("5"))
    assert added.position == 5


def test_export_has_a_line_for_each_conversation_and_item(alice):
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"a": "b"}, items=messages("1", "2"))
    created_at = f"{conversation.created_at.replace(tzinfo=None).isoformat()}Z"
    assert lines() == [
        {
            "object": "conversation",
            "id": conversation.pk,
            "owner": "alice",
            "created_at": created_at,
            "metadata": {"a": "b"},
            "item_count": 2,
            "last_position": 2,
            "last_item_at": created_at,
        },
        *(
            {
                "object": "conversation.item",
                "conversation_id": conversation.pk,
                "position": item.position,
                "created_at": created_at,
                "data": item.data,
            }
            for item in conversation.items.order_by("position")
        ),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("lengths", [[], [0], [3, 0, 1], [7, 0, 0, 7, 1], [1, 2, 1, 1, 2, 3, 1], [2, 6, 2]])
def test_order_of_conversations_and_items_is_independent_of_batches(lengths, size, alice, monkeypatch):
    monkeypatch.setattr(exporter, "CONVERSATIONS_PER_QUERY", size)
    monkeypatch.setattr(exporter, "ITEMS_PER_QUERY", size)
    for length in lengths:
        Conversation.objects.create_with_items(owner=alice, items=messages(*map(str, range(length))))
    expected = []
    for number, length in enumerate(lengths):
        expected += [(number, length), *((number, position) for position in range(1, length + 1))]
    numbers = {pk: n for n, pk in enumerate(Conversation.objects.order_by("pk").values_list("pk", flat=True))}
    found = [
        (numbers[line["id"]], line["item_count"])
        if line["object"] == "conversation"
        else (numbers[line["conversation_id"]], line["position"])
        for line in lines()
    ]
    assert found == expected


def test_export_contains_the_same_conversations_as_the_list(alice, bob):
    for number in range(10):
        Conversation.objects.create_with_items(
            owner=[alice, bob][number % 2], metadata={"topic": "demo", "n": str(number % 3)}
        )
    query = parse_query("topic:demo -n:1")
    mine = Export(Conversation.objects.visible_to(alice), query=query, with_items=False)
    exported = [json.loads(line)["id"] for line in b"".join(mine).splitlines()]
    page = Conversation.objects.visible_to(alice).matching(query).page(limit=100, order="asc")
    assert exported == [conversation.pk for conversation in page.rows]
    assert 0 < len(exported) == mine.matches.count() == mine.conversation_count < 5


@pytest.mark.django_db
@random_queries.many
@given(random_queries.query)
def test_arbitrary_query_exports_its_matches(random_conversations, query):
    export = Export(Conversation.objects.all(), query=query, with_items=False)
    exported = [json.loads(line)["id"] for line in b"".join(export).splitlines()]
    assert exported == [each.pk for each in random_conversations if random_queries.matches(query, each.metadata)]


def test_unbounded_condition_is_refused_before_the_first_chunk(alice, monkeypatch):
    monkeypatch.setattr("conversations.search.planner.MAX_READABLE", 0)
    Conversation.objects.create_with_items(owner=alice)
    with pytest.raises(APIError, match="'contains' alone would read more than"):
        Export(Conversation.objects.all(), query=parse_query("note~refund"))


def test_conversations_are_consistent_despite_concurrent_changes(alice, monkeypatch):
    monkeypatch.setattr(exporter, "ITEMS_PER_QUERY", 2)
    first, second = (Conversation.objects.create_with_items(owner=alice, items=messages("1", "2")) for _ in range(2))
    long = Conversation.objects.create_with_items(owner=alice, items=messages("1", "2", "3"))
    chunks = iter(Export(Conversation.objects.all()))
    text = next(chunks)
    second.delete_item(item_id=second.items.get(position=1).item_id)
    second.add_items(items=messages("3"))
    long.add_items(items=messages("4", "5"))
    exported = [json.loads(line) for line in b"".join([text, *chunks]).splitlines()]
    counts = {line["id"]: line["item_count"] for line in exported if line["object"] == "conversation"}
    assert counts == {first.pk: 2, second.pk: 1, long.pk: 3}
    positions = [line["position"] for line in exported if line["object"] == "conversation.item"]
    assert positions == [1, 2, 2, 1, 2, 3]


def test_counts_reflect_the_rows_exported_so_far(alice, monkeypatch):
    monkeypatch.setattr(exporter, "ITEMS_PER_QUERY", 2)
    Conversation.objects.create_with_items(owner=alice, items=messages("1", "2"))
    Conversation.objects.create_with_items(owner=alice, items=messages("1", "2", "3"))
    export = Export(Conversation.objects.all())
    assert [(export.conversation_count, export.item_count) for _ in export] == [(1, 2), (2, 4), (2, 5)]


def test_export_can_be_streamed_as_a_response(alice):
    Conversation.objects.create_with_items(owner=alice, items=messages("1"))
    assert StreamingHttpResponse(Export(Conversation.objects.all())).getvalue() == export()


def test_export_without_items_and_as_csv_reads_no_items(alice, django_assert_num_queries):
    Conversation.objects.create_with_items(owner=alice, items=messages("1"))
    for options in ({"with_items": False}, {"format": "csv"}):
        with django_assert_num_queries(2) as queries:  # conversations, owners
            export(**options)
        assert not any("conversations_item" in query["sql"] for query in queries)
    [line] = lines(with_items=False)
    assert line["item_count"] == 1


@pytest.mark.parametrize(("count", "queries"), [(1, 3), (2, 3), (3, 4), (4, 7), (6, 8)])
def test_number_of_queries_grows_with_batches_not_with_rows(
    count, queries, alice, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(exporter, "CONVERSATIONS_PER_QUERY", 3)
    monkeypatch.setattr(exporter, "ITEMS_PER_QUERY", 4)
    for _ in range(count):
        Conversation.objects.create_with_items(owner=alice, items=messages("1", "2"))
    with django_assert_num_queries(queries):
        export()


def test_items_of_a_long_conversation_take_one_query_per_batch(alice, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(exporter, "ITEMS_PER_QUERY", 10)
    conversation = Conversation.objects.create_with_items(owner=alice, items=messages(*"1" * 15))
    conversation.add_items(items=messages(*"1" * 20))
    with django_assert_num_queries(2 + 4):
        export()


@pytest.mark.slow
def test_memory_does_not_grow_with_items_or_conversations(alice, monkeypatch):
    monkeypatch.setattr(exporter, "ITEMS_PER_QUERY", 20)
    monkeypatch.setattr(exporter, "CONVERSATIONS_PER_QUERY", 20)

    def peak() -> int:
        tracemalloc.start()
        for _ in Export(Conversation.objects.all()):
            pass
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    text = "x" * 10_000
    conversation = Conversation.objects.create_with_items(owner=alice, items=messages(*[text] * 20))
    conversation.add_items(items=messages(*[text] * 20))
    for _ in range(20):
        Conversation.objects.create_with_items(owner=alice, items=messages(text))
    peak()  # Warm up: modules and caches are loaded once.
    small = peak()
    for _ in range(18):
        conversation.add_items(items=messages(*[text] * 20))
        for _ in range(20):
            Conversation.objects.create_with_items(owner=alice, items=messages(text))
    assert Item.objects.count() == 60 + 18 * 40
    assert peak() < small * 1.5
