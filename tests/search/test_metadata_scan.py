from random import Random

import pytest
from django.db import DEFAULT_DB_ALIAS, connection
from hypothesis import given
from hypothesis import strategies as st

from conversations import ids
from conversations.models import Conversation
from conversations.schema.query.nodes import And, MetadataCondition, Or
from conversations.search.metadata_scan import MetadataScan
from tests.plans import capture_statements
from tests.search import random_queries


class SmallWindowScan(MetadataScan):
    """Many windows where the other needs but one."""

    first_lookahead = 2
    max_intersected_rows = 5


@pytest.fixture
def conversations(alice) -> list[Conversation]:
    return random_queries.conversations_of(alice, count=100)


@random_queries.many
@given(
    query=random_queries.query,
    is_ascending=st.booleans(),
    batch=st.sampled_from([1, 3, 50]),
    after=st.none() | st.integers(0, 99),
)
def test_scan_finds_each_match_once_and_in_order(conversations, query, is_ascending, batch, after):
    ordered = conversations if is_ascending else conversations[::-1]
    place = None if after is None else conversations[after].pk
    rest = ordered if after is None else ordered[ordered.index(conversations[after]) + 1 :]
    expected = [row.pk for row in rest if random_queries.matches(query, row.metadata)]
    walk = SmallWindowScan(query, is_ascending=is_ascending, owner_id=None, using=DEFAULT_DB_ALIAS)
    if walk.index_scans:
        assert list(walk.ids(after=place, batch=batch)) == expected
    order = "asc" if is_ascending else "desc"
    page = Conversation.objects.page(limit=100, order=order, after=place, matching=query)
    assert [row.pk for row in page.rows] == expected


@pytest.fixture
def scattered_conversations(alice) -> list[Conversation]:
    """Here close together in time and there far apart, and few with as many as two of the keys."""
    random, nanoseconds, rows = Random(1), 0, []
    for _ in range(400):
        nanoseconds += 10 ** random.randrange(9, 16)
        metadata = {key: random.choice("1112") for key in "abc" if random.random() < 0.25}
        conversation_id = ids.compose_id(ids.CONVERSATION_PREFIX, nanoseconds=nanoseconds, bits=0)
        created_at = ids.created_at(conversation_id)
        rows.append(Conversation(id=conversation_id, owner=alice, created_at=created_at, metadata=metadata))
    Conversation.objects.bulk_create(rows)
    return rows


@pytest.mark.parametrize("is_ascending", [True, False])
@pytest.mark.parametrize(
    "conditions",
    [
        (MetadataCondition("a", "eq", ("1",)), MetadataCondition("b", "exists")),
        (MetadataCondition("a", "in", ("1", "2")), MetadataCondition("b", "in", ("1", "2"))),
        (MetadataCondition("a", "in", ("1", "2", "3")), MetadataCondition("b", "ne", ("1",))),
        (MetadataCondition("a", "exists"), MetadataCondition("b", "exists"), MetadataCondition("c", "in", ("1", "3"))),
        (Or((MetadataCondition("a", "exists"), MetadataCondition("b", "exists"))), MetadataCondition("c", "exists")),
    ],
)
def test_scan_finds_rare_matches_of_combined_conditions(scattered_conversations, conditions, is_ascending):
    query = And(conditions)
    expected = [row.pk for row in scattered_conversations if random_queries.matches(query, row.metadata)]
    assert len(expected) > 1
    walk = SmallWindowScan(query, is_ascending=is_ascending, owner_id=None, using=DEFAULT_DB_ALIAS)
    for batch in (1, 4, 100):
        with capture_statements() as statements:
            found = list(walk.ids(after=None, batch=batch))
        assert found == (expected if is_ascending else expected[::-1])
        in_common = [statement for statement in statements if " IS TRUE" in statement[0]]
        assert in_common
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {in_common[0][0]}", in_common[0][1])
                plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "hashed SubPlan" in plan, plan
            assert "Join" not in plan, plan


def test_page_applies_other_queryset_filters(conversations):
    Conversation.objects.filter(pk__in=[row.pk for row in conversations[::3]]).update(item_count=1)
    query = MetadataCondition("topic", "exists")
    expected = [row.pk for row in conversations[::3] if "topic" in row.metadata]
    filtered = Conversation.objects.filter(item_count=1)
    assert len(expected) > 4
    pages, after = [], None
    while page := filtered.page(limit=2, order="asc", after=after, matching=query).rows:
        pages += [row.pk for row in page]
        after = page[-1].pk
    assert pages == expected


def test_filter_on_either_of_two_owners_is_not_mistaken_for_a_single_owner(conversations, bob):
    """Only a filter that all rows pass may narrow the search to a part of the index."""
    alice = conversations[0].owner
    bobs = Conversation.objects.create_with_items(owner=bob, metadata={"topic": "demo"})
    either = Conversation.objects.filter(owner=alice) | Conversation.objects.filter(owner=bob)
    newest = MetadataCondition("topic", "eq", ("demo",))
    assert either.page(limit=1, order="desc", matching=newest).rows == [bobs]
    others = Conversation.objects.exclude(owner=alice)
    assert others.page(limit=9, order="desc", matching=newest).rows == [bobs]
