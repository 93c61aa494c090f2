"""The examples in the tables of the query language, each with the conversations that it matches."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from conversations import ids
from conversations.models import Conversation
from conversations.retention.holds import place_hold
from conversations.schema.items import validate_items
from conversations.schema.query.nodes import EVERYTHING, Query
from conversations.schema.query.operators import METADATA_OPERATORS
from conversations.schema.query.parser import parse_query
from tests.docs.pages import DOCS, read_table

# MariaDB and MySQL find words in committed rows only.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")

LANGUAGE = DOCS / "query-language.md"
ACME = {"topic": "demo", "tenant": "acme", "note": "wants a refund", "escalated": "yes", "order id": "6735"}
ZENITH = {"topic": "refund", "tenant": "zenith", "note": "late"}
# Conversations by name: when they were created, their metadata and the texts of their items.
CONVERSATIONS: dict[str, tuple[datetime, dict[str, str], list[str]]] = {
    "acme": (datetime(2026, 6, 1, tzinfo=UTC), ACME, ["What is your refund policy?"]),
    "zenith": (datetime(2025, 6, 1, tzinfo=UTC), ZENITH, ["I want a refund.", "Read our policy."]),
    "plain": (datetime(2026, 3, 1, 11, tzinfo=UTC), {}, ["Hello!"]),
}
OTHER_ITEMS = {
    "acme": [{"type": "function_call_output", "call_id": "1", "output": "Error: no such order"}],
    "zenith": [{"type": "function_call", "call_id": "2", "name": "find_order", "arguments": "{}"}],
}
QUERIES = {
    "topic:demo": {"acme"},
    "tenant^ac": {"acme"},
    "note~refund": {"acme"},
    "escalated:*": {"acme"},
    'metadata["order id"]:"6735"': {"acme"},
    "created>=2026-01-01": {"acme", "plain"},
    "created<1767225600": {"zenith"},
    "created<=2026-03-01T12:00:00+01:00": {"zenith", "plain"},
    "active>=2026-01-01": {"acme", "zenith", "plain"},
    "items>=2": {"acme", "zenith"},
    "@type:function_call": {"zenith"},
    "@tool:find_order": {"zenith"},
    "@status:failed": {"acme"},
    "@has:unanswered_call": {"zenith"},
    "@has:hold": {"plain"},
    "@owner:alice": {"acme", "zenith", "plain"},
    '"refund policy"': {"acme"},
    "refund policy": {"acme", "zenith"},
    "tenant:acme topic:demo": {"acme"},
    "tenant:zenith OR topic:refund": {"zenith"},
    "-topic:demo": {"zenith", "plain"},
    "-(tenant:acme topic:demo)": {"zenith", "plain"},
    "NOT topic:demo": {"zenith", "plain"},
    "topic:demo (tenant:acme OR tenant^zen)": {"acme"},
}
PARAMETERS = {
    "metadata[topic]=demo": {"acme"},
    "metadata[topic][eq]=demo": {"acme"},
    "metadata[topic][ne]=demo": {"zenith"},
    "metadata[tenant][in][]=acme": {"acme"},
    "metadata[tenant][nin][]=acme": {"zenith"},
    "metadata[note][contains]=refund": {"acme"},
    "metadata[tenant][prefix]=ac": {"acme"},
    "metadata[topic][suffix]=fund": {"zenith"},
    "metadata[escalated][exists]=true": {"acme"},
    "metadata[escalated][exists]=false": {"zenith", "plain"},
    "created_at[gte]=1767225600": {"acme", "plain"},
    "active_at[gte]=1767225600": {"acme", "zenith", "plain"},
    "type=function_call": {"zenith"},
    "tool=find_order": {"zenith"},
    "status=failed": {"acme"},
    "has=unanswered_call": {"zenith"},
    "has=hold": {"plain"},
    "item_count[gte]=2": {"acme", "zenith"},
}


def code_of(cell: str) -> str:
    """Return the only code span, or the first one, of a cell."""
    return re.findall("`(.+?)`", cell)[0]


@pytest.fixture
def names(alice) -> dict[str, str]:
    """Names of stored conversations by their ids."""
    names = {}
    for name, (created_at, metadata, texts) in CONVERSATIONS.items():
        nanoseconds = int(created_at.timestamp()) * 1_000_000_000
        conversation_id = ids.compose_id(ids.CONVERSATION_PREFIX, nanoseconds=nanoseconds, bits=0)
        conversation = Conversation(id=conversation_id, owner=alice, created_at=created_at, metadata=metadata)
        conversation.save()
        conversation.add_items(items=validate_items([{"role": "user", "content": text} for text in texts]))
        conversation.add_items(items=validate_items(OTHER_ITEMS.get(name, [])))
        if name == "plain":
            place_hold(conversation, reason="an example", placed_by="test")
        names[conversation_id] = name
    return names


def matches(query: Query = EVERYTHING) -> set[str]:
    return {row.pk for row in Conversation.objects.page(limit=9, order="desc", matching=query).rows}


def test_tables_have_these_examples():
    assert [code_of(row[0]) for row in read_table(LANGUAGE, header="Query")] == list(QUERIES)
    assert [code_of(row[0]) for row in read_table(LANGUAGE, header="Parameter")] == list(PARAMETERS)


def test_table_has_an_example_of_every_operator():
    operators = re.findall(r"^metadata\[\w+\]\[(\w+)\]", "\n".join(PARAMETERS), re.MULTILINE)
    assert set(operators) == METADATA_OPERATORS.keys()


def test_queries_match_the_conversations_that_the_table_describes(names):
    assert len(matches()) == len(CONVERSATIONS)
    assert {query: {names[pk] for pk in matches(parse_query(query))} for query in QUERIES} == QUERIES


def test_query_parameters_match_the_same_conversations_as_the_queries_beside_them(names, alice_secret):
    client = Client(headers={"authorization": f"Bearer {alice_secret}"})
    for row in read_table(LANGUAGE, header="Parameter"):
        name, _, value = code_of(row[0]).partition("=")
        response: dict[str, Any] = client.get("/v1/conversations", {name: value}).json()
        found = {conversation["id"] for conversation in response["data"]}
        assert {names[pk] for pk in found} == PARAMETERS[code_of(row[0])], row
        if "`" in row[1]:
            assert matches(parse_query(code_of(row[1]))) == found, row
