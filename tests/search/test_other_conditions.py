"""Conditions that are not about metadata match the same conversations everywhere, compared with Python."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from conversations.admin import ConversationAdmin
from conversations.models import Conversation
from conversations.retention.holds import place_hold
from conversations.schema.query.nodes import (
    ActiveCondition,
    And,
    CreatedCondition,
    HasCondition,
    ItemCondition,
    ItemCountCondition,
    MetadataCondition,
    Not,
    Or,
    OwnerCondition,
    Query,
)
from conversations.schema.query.parser import parse_query
from conversations.transfer.exporter import Export
from conversations.transfer.importer import import_conversations
from conversations.trash import move_to_trash
from tests.api.conftest import APIClient
from tests.plans import capture_statements, plan_steps
from tests.search import random_queries

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

NUMBER = 40
START = datetime(2026, 1, 1, tzinfo=UTC)
SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda one, other: one > other,
    "gte": lambda one, other: one >= other,
    "lt": lambda one, other: one < other,
    "lte": lambda one, other: one <= other,
}

TOOL_ITEMS: list[dict[str, Any]] = [
    {"type": "function_call", "call_id": "1", "name": "find_order", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "1", "output": "Found."},
    {"type": "function_call", "call_id": "2", "name": "refund", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "2", "output": "Error: x"},
    {"type": "mcp_call", "server_label": "shop", "name": "refund", "arguments": "{}", "status": "failed"},
    {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}},
    {"type": "message", "role": "assistant", "status": "incomplete", "content": [{"type": "output_text", "text": "x"}]},
]

operator = st.sampled_from(sorted(SIGNS))
moments = st.integers(0, 400).map(lambda minutes: int(START.timestamp()) + 900 * minutes) | st.sampled_from(
    [-999_999_999_999, -1, 0, 999_999_999_999]
)
leaves = st.one_of(
    st.builds(ActiveCondition, operator, moments),
    st.builds(ItemCountCondition, operator, st.sampled_from([0, 1, 2, 3, 15, 16, 17, 18, 31, 40, 999_999_999])),
    st.builds(CreatedCondition, operator, st.just(int(START.timestamp()))),
    st.just(MetadataCondition("topic", "eq", ("demo",))),
    st.builds(ItemCondition, st.just("type"), st.sampled_from(["message", "mcp_call", "function_call", "unknown"])),
    st.builds(ItemCondition, st.just("tool"), st.sampled_from(["find_order", "refund", "web_search", "Refund", ""])),
    st.just(ItemCondition("status", "failed")),
    st.just(HasCondition("unanswered_call")),
    st.just(HasCondition("hold")),
)


@pytest.fixture(params=[1_000, 1], ids=["enumerated", "scanned"])
def conversations(alice, bob, monkeypatch, request) -> list[Conversation]:
    """Alice's conversations, newest first, with random numbers of items and times of the last one; some of bob.

    The parameter is the number of matches up to which conditions are enumerated.
    """
    monkeypatch.setattr("conversations.search.text_scan.MAX_CANDIDATES", request.param)
    monkeypatch.setattr(ConversationAdmin, "list_per_page", NUMBER)
    random = Random(1)
    rows = []
    for number in range(NUMBER + 5):
        items = [{"role": "user", "content": "hello"}] * random.choice([0, 1, 2, 3, 16, 17, 40])
        items += random.sample(TOOL_ITEMS, random.choice([0, 0, 1, 2, 3]))
        owner = bob if number % 9 == 8 else alice
        metadata = {"topic": random.choice(["demo", "other"])}
        row = Conversation.objects.create_with_items(owner=owner, metadata=metadata, items=items)
        if items:
            last = START + timedelta(seconds=900 * random.randrange(400), microseconds=random.choice([0, 1, 999_999]))
            Conversation.objects.filter(pk=row.pk).update(last_item_at=last)
        if number % 7 == 3:
            place_hold(row, reason="test", placed_by="test")
        rows.append(row)
    stored = [Conversation.objects.get(pk=row.pk) for row in rows if row.owner_id == alice.pk][::-1]
    for row in stored:
        row.all_data = list(row.items.values_list("data", flat=True))
        row.is_unanswered = bool(row.items.unanswered_calls())
    return stored


@pytest.fixture
def as_alice(alice_secret) -> APIClient:
    return APIClient(alice_secret)


def test_conditions_and_their_negations_give_the_ids_of_the_python_reference(conversations, as_alice):
    texts = ["created>=0", "topic:demo", "active<2026-01-03", "items>=16", "@type:mcp_call", "@tool:refund"]
    texts += ["@status:failed", "@has:unanswered_call", "@has:hold", "@owner:alice"]
    for number, first in enumerate(texts):
        for second in ("-@has:unanswered_call", "-@tool:refund", *texts[:number]):
            for text in (f"{first} {second}", f"{first} OR {second}"):
                expected = [each.pk for each in conversations if matches(parse_query(text), each)]
                answer = as_alice.get("/conversations", limit=100, query=text)
                assert [each["id"] for each in answer.json()["data"]] == expected, text
    assert {bool(matches(parse_query("@has:unanswered_call"), each)) for each in conversations} == {True, False}


def has_item(condition: ItemCondition, data: dict[str, Any]) -> bool:
    """Whether the item is of the type or tool, or failed, by definitions of the test's own."""
    match condition:
        case ItemCondition("type", value):
            return data["type"] == value
        case ItemCondition("tool", value):
            return data["type"].endswith("_call") and data.get("name", data["type"].removesuffix("_call")) == value
    return data.get("status") in ("failed", "incomplete") or bool(data.get("error")) or data.get("output") == "Error: x"


def matches(query: Query, conversation: Conversation) -> bool:
    match query:
        case And(parts):
            return all(matches(part, conversation) for part in parts)
        case Or(parts):
            return any(matches(part, conversation) for part in parts)
        case Not(part):
            return not matches(part, conversation)
        case MetadataCondition(key):
            return query.is_met_by(conversation.metadata[key])
        case ActiveCondition(operator, seconds):
            last = conversation.last_item_at
            return last is not None and COMPARISONS[operator](int(last.timestamp()), seconds)
        case ItemCountCondition(operator, number):
            return COMPARISONS[operator](conversation.item_count, number)
        case OwnerCondition():
            return query.username == "alice"
        case HasCondition("hold"):
            return conversation.is_held
        case HasCondition():
            return conversation.is_unanswered
        case ItemCondition():
            return any(has_item(query, data) for data in conversation.all_data)
        case CreatedCondition(operator, seconds):
            return COMPARISONS[operator](int(conversation.created_at.timestamp()), seconds)
    raise ValueError(query)


def as_text(query: Query) -> str:
    match query:
        case And(parts):
            return " ".join(f"({as_text(part)})" for part in parts)
        case Or(parts):
            return " OR ".join(f"({as_text(part)})" for part in parts)
        case Not(part):
            return f"-({as_text(part)})"
        case ActiveCondition(operator, number):
            return f"active{SIGNS[operator]}{number}"
        case ItemCountCondition(operator, number):
            return f"items{SIGNS[operator]}{number}"
        case HasCondition(what):
            return f"@has:{what}"
        case ItemCondition(column, value):
            return f'@{column}:"{value}"'
        case CreatedCondition(operator, number):
            return f"created{SIGNS[operator]}{number}"
    return random_queries.as_text(query)


@random_queries.many
@given(random_queries.trees(leaves))
def test_conditions_give_the_ids_of_the_python_reference_everywhere(conversations, as_alice, admin_client, query):
    expected = [each.pk for each in conversations if matches(query, each)]
    text = as_text(query)
    assert matches(parse_query(text), conversations[0]) == matches(query, conversations[0])
    answer = as_alice.get("/conversations", limit=100, query=text)
    assert [each["id"] for each in answer.json()["data"]] == expected
    visible = Conversation.objects.filter(owner=conversations[0].owner_id)
    assert set(visible.matching(query).values_list("pk", flat=True)) == set(expected)
    assert visible.capped_count(1_000, matching=query) == len(expected)
    if expected:
        rest = visible.page(limit=100, after=expected[0], matching=query).rows
        assert [row.pk for row in rest] == expected[1:]
    for word in (text, f"{text} AND @owner:alice"):
        page = admin_client.get(reverse("admin:conversations_conversation_changelist"), {"q": word, "owner": "alice"})
        assert [row.pk for row in page.context["cl"].result_list] == expected


@pytest.mark.parametrize(
    "text", ["type:function_call", "tool:refund", "status:failed", "has:unanswered_call", "has:hold"]
)
def test_parameters_about_items_give_the_ids_of_the_python_reference(conversations, as_alice, text):
    name, _, value = text.partition(":")
    expected = [row.pk for row in conversations if matches(parse_query(f"@{text}"), row)]
    answer = as_alice.get("/conversations", **{name: value, "limit": 100})
    assert [each["id"] for each in answer.json()["data"]] == expected
    assert expected


def test_deleting_items_forking_and_importing_keep_the_conditions(alice):
    call, output = TOOL_ITEMS[2:4]
    origin = Conversation.objects.create_with_items(owner=alice, items=[call])
    texts = ["@tool:refund", "@status:failed", "@has:unanswered_call"]

    def matching(conversation: Conversation) -> list[bool]:
        return [Conversation.objects.matching(text).filter(pk=conversation.pk).exists() for text in texts]

    def matching_ids(text: str) -> set[str]:
        return set(Conversation.objects.matching(text).values_list("pk", flat=True))

    assert matching(origin) == [True, False, True]
    origin.add_items([output])
    assert matching(origin) == matching(origin.fork()) == [True, True, False]
    fork = origin.fork(after=origin.items.first().item_id)
    assert matching(fork) == [True, False, True]
    exported = b"".join(Export(Conversation.objects.filter(pk__in=[origin.pk, fork.pk])))
    origin.delete_item(origin.items.last().item_id)
    assert matching(origin) == [True, False, True]
    origin.rewind(after=None)
    assert matching(origin) == [False, False, False]
    origin_id, fork_id = origin.pk, fork.pk
    Conversation.objects.exclude(pk__in=[origin_id, fork_id]).get().rewind(after=None)  # the other fork
    for conversation in (origin, fork):
        move_to_trash(conversation)
    assert {outcome.kind for outcome in import_conversations(BytesIO(exported), owner=alice)} == {"added"}
    assert [matching_ids(text) for text in texts] == [{origin_id, fork_id}, {origin_id}, {fork_id}]


@random_queries.many
@given(leaves.filter(lambda leaf: isinstance(leaf, ActiveCondition | ItemCountCondition)))
def test_parameters_give_the_ids_of_the_python_reference(conversations, as_alice, leaf):
    name, number = ("active_at", leaf.seconds) if isinstance(leaf, ActiveCondition) else ("item_count", leaf.number)
    answer = as_alice.get("/conversations", **{f"{name}[{leaf.operator}]": number, "limit": 100})
    assert [each["id"] for each in answer.json()["data"]] == [row.pk for row in conversations if matches(leaf, row)]


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("active>=2026-01-03", "conversations_active"),
        ("items>=40", "conversations_long"),
        ("@type:mcp_call", "conversations_item_type"),
        ("@tool:refund", "conversations_item_tool"),
        ("@status:failed", "conversations_item_status"),
        ("@has:unanswered_call", "conversations_unpaired"),
        ("@has:hold", "conversations_held"),
    ],
)
def test_few_matches_are_found_by_an_index(conversations, text, index):
    if connection.vendor == "mysql" and index in ("conversations_long", "conversations_unpaired", "conversations_held"):
        pytest.skip("MariaDB and MySQL have no partial indexes.")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # It would be faster for so few rows.
    with capture_statements() as statements:
        assert Conversation.objects.page(limit=2, matching=text).rows
    assert index in plan_steps(*statements[0])
