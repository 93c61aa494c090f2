import re

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from conversations.errors import APIError
from conversations.models import Conversation
from conversations.schema.query.nodes import And, MetadataCondition, Not, Or
from conversations.schema.query.operators import METADATA_OPERATORS
from tests.queries import CapturedQueries
from tests.search import random_queries

DEMO = MetadataCondition("topic", "eq", ("demo",))


@pytest.fixture
def conversations(alice) -> list[Conversation]:
    return random_queries.conversations_of(alice, count=60)


@random_queries.many
@given(query=random_queries.query, maximum=st.sampled_from([1, 5, 1000]))
def test_matches_are_counted_up_to_the_maximum(conversations, query, maximum):
    expected = sum(random_queries.matches(query, each.metadata) for each in conversations)
    assert Conversation.objects.capped_count(maximum, matching=query) == min(expected, maximum)


@pytest.mark.parametrize("query", [And(()), DEMO, Not(DEMO), Or((DEMO, Not(DEMO)))])
def test_capped_count_applies_other_filters(alice, bob, query, monkeypatch):
    monkeypatch.setattr("conversations.search.planner.MAX_IDS", 2)
    rows = [
        Conversation.objects.create_with_items(owner=owner, metadata={"topic": "demo"}) for owner in (alice, bob) * 4
    ]
    rows += [Conversation.objects.create_with_items(owner=owner) for owner in (alice, bob) * 4]
    Conversation.objects.filter(pk__in=[row.pk for row in rows[::3]]).update(item_count=1)
    for owner in (None, alice):
        for item_count in (None, 1):
            found = Conversation.objects.all() if owner is None else Conversation.objects.visible_to(owner)
            found = found if item_count is None else found.filter(item_count=item_count)
            count = found.matching(query).count()
            assert found.capped_count(100, matching=query) == count
            assert found.capped_count(2, matching=query) == min(count, 2)
    assert Conversation.objects.none().capped_count(100, matching=query) == 0


@pytest.mark.parametrize(
    "query", [And(()), DEMO, Not(DEMO), MetadataCondition("topic", "ne", ("x",)), And((DEMO, DEMO))]
)
def test_capped_count_reads_no_more_rows_than_it_counts(alice, query):
    for _ in range(5):
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
    with CapturedQueries(connection) as queries:
        Conversation.objects.capped_count(3, matching=query)
    statements = [each["sql"] for each in queries]
    assert all(re.search(r"LIMIT 3\)|MIN\(.* LIMIT 250\)", sql) for sql in statements), statements


@pytest.mark.parametrize("name", [name for name, each in METADATA_OPERATORS.items() if not each.is_bounded])
def test_unbounded_condition_is_refused(alice, monkeypatch, name):
    monkeypatch.setattr("conversations.search.planner.MAX_READABLE", 1)
    for _ in range(2):
        Conversation.objects.create_with_items(owner=alice)
    with pytest.raises(APIError, match=f"'{name}' alone would read more than 1 conversations"):
        Conversation.objects.capped_count(3, matching=MetadataCondition("topic", name, ("d",)))
