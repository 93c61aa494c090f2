from datetime import date
from random import Random

import pytest
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection
from hypothesis import given
from hypothesis import strategies as st

from conversations import ids
from conversations.models import Conversation, MetadataPair
from conversations.schema.query.nodes import EVERYTHING, And, CreatedCondition, MetadataCondition, Not, Or
from conversations.search.metadata_scan import MetadataScan
from tests.plans import analyze, capture_statements, plan_steps
from tests.search import random_queries
from tests.seed import seed_conversations

NUMBER = 4_000
BY_VALUE = {True: "conversations_pair_owner_value", False: "conversations_pair_value"}
BY_KEY = {True: "conversations_pair_owner_key", False: "conversations_pair_key"}


COMMON = MetadataCondition("channel", "eq", ("web",))
OLDEST = MetadataCondition("plan", "eq", ("legacy",))


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
    pairs = [
        MetadataPair(conversation=row, owner=alice, key=key, value=value)
        for row in rows
        for key, value in row.metadata.items()
    ]
    MetadataPair.objects.bulk_create(pairs)
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
    bobs = Conversation.create_with_items(owner=bob, metadata={"topic": "demo"})
    either = Conversation.objects.filter(owner=alice) | Conversation.objects.filter(owner=bob)
    newest = MetadataCondition("topic", "eq", ("demo",))
    assert either.page(limit=1, order="desc", matching=newest).rows == [bobs]
    others = Conversation.objects.exclude(owner=alice)
    assert others.page(limit=9, order="desc", matching=newest).rows == [bobs]


@pytest.fixture(scope="module")
def owner(django_db_setup, django_db_blocker):
    """Who has most of the made-up conversations, of which the databases have statistics."""
    with django_db_blocker.unblock():
        # What other tests rolled back still takes room in PostgreSQL's tables and indexes, and counts for its plans.
        call_command("flush", interactive=False, verbosity=0)
        for _ in seed_conversations(conversations=NUMBER, items_per=0, seed=1, start=date(2026, 1, 1)):
            pass
        analyze()
        largest = Conversation.objects.filter(owner__username="seed-0001")
        yield largest.latest("pk").owner
        call_command("flush", interactive=False, verbosity=0)


@pytest.mark.parametrize("is_scoped", [True, False])
@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize(
    ("query", "index"),
    [
        (COMMON, BY_VALUE),
        (OLDEST, BY_VALUE),
        (MetadataCondition("plan", "in", ("legacy", "team")), BY_VALUE),
        (MetadataCondition("plan", "prefix", ("leg",)), BY_VALUE),
        (MetadataCondition("order_id", "prefix", ("order-",)), BY_KEY),
        (MetadataCondition("tenant", "exists"), BY_KEY),
        (MetadataCondition("migrated_from", "exists"), BY_KEY),
        (MetadataCondition("plan", "ne", ("free",)), BY_KEY),
        (MetadataCondition("plan", "nin", ("free", "team")), BY_KEY),
        (And((CreatedCondition("gte", 0), MetadataCondition("order_id", "contains", ("0",)))), BY_KEY),
        (And((COMMON, OLDEST)), BY_VALUE),
        (And((OLDEST, MetadataCondition("tenant", "exists"))), BY_VALUE),
        (And((COMMON, Not(OLDEST), CreatedCondition("gte", 0))), BY_VALUE),
        (Or((OLDEST, MetadataCondition("channel", "eq", ("app",)))), BY_VALUE),
    ],
)
def test_matches_are_found_by_index(owner, db, query, index, order, is_scoped):
    conversations = Conversation.objects.filter(owner=owner) if is_scoped else Conversation.objects.all()
    with capture_statements() as statements:
        assert conversations.page(limit=20, order=order, matching=query).rows
    read = [plan_steps(*statement) for statement in statements]
    assert any(index[is_scoped] in of_statement for of_statement in read), read
    assert not any(step.startswith(("scan of", "hash")) for of_statement in read for step in of_statement), read


@pytest.mark.parametrize("is_scoped", [True, False])
@pytest.mark.parametrize("query", [EVERYTHING, CreatedCondition("gte", 0), Not(COMMON)])
def test_conversations_are_scanned_in_order_if_no_metadata_index_applies(owner, db, query, is_scoped):
    conversations = Conversation.objects.filter(owner=owner) if is_scoped else Conversation.objects.all()
    with capture_statements() as statements:
        assert len(conversations.page(limit=20, order="desc", matching=query).rows) == 20
    [statement] = statements
    read = plan_steps(*statement)
    assert read & {"conversations_owner_id", "pk of Conversation"}, read
    assert not any(step.startswith("scan of") for step in read), read


@pytest.mark.parametrize("is_scoped", [True, False])
def test_suggestions_are_read_from_an_index(owner, db, is_scoped):
    pairs = MetadataPair.objects.filter(owner=owner) if is_scoped else MetadataPair.objects.all()
    for column, suggested, index in [
        ("key", pairs, {BY_KEY[is_scoped], BY_VALUE[is_scoped]}),
        ("value", pairs.filter(key="order_id"), {BY_VALUE[is_scoped]}),
    ]:
        with capture_statements() as statements:
            assert suggested.suggestions(column, prefix="o" if column == "value" else "", limit=5).texts
        for statement in statements:
            read = plan_steps(*statement)
            assert not read or read & index, read
            assert not any(step.startswith("scan of") for step in read), read
