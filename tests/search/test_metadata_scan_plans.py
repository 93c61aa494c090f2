"""The indexes that searches by metadata read, in a module of their own: all its tests share a large database."""

from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F

from conversations.models import Conversation, MetadataPair
from conversations.schema.query.nodes import (
    EVERYTHING,
    ActiveCondition,
    And,
    CreatedCondition,
    MetadataCondition,
    Not,
    Or,
)
from tests.plans import analyze, capture_statements, plan_steps
from tests.seed import seed_conversations

NUMBER = 1_000 if connection.vendor == "sqlite" else 4_000  # conversations
BY_VALUE = {True: "conversations_pair_owner_value", False: "conversations_pair_value"}
BY_KEY = {True: "conversations_pair_owner_key", False: "conversations_pair_key"}

COMMON = MetadataCondition("channel", "eq", ("web",))
OLDEST = MetadataCondition("plan", "eq", ("legacy",))


@pytest.fixture(scope="module")
def owner(django_db_setup, django_db_blocker):
    """Who has most of the made-up conversations, of which the databases have statistics."""
    with django_db_blocker.unblock():
        # What other tests rolled back still takes room in PostgreSQL's tables and indexes, and counts for its plans.
        call_command("flush", interactive=False, verbosity=0)
        _let_autovacuum(False)
        for _ in seed_conversations(conversations=NUMBER, items_per=0, seed=1, start=date(2026, 1, 1)):
            pass
        Conversation.objects.update(last_item_at=F("created_at"))
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # Remove the dead rows that the update left, and store the others in the order of their ids.
                cursor.execute("CLUSTER conversations_conversation USING conversations_conversation_pkey")
        analyze()
        largest = Conversation.objects.filter(owner__username="seed-0001")
        yield largest.latest("pk").owner
        _let_autovacuum(True)
        call_command("flush", interactive=False, verbosity=0)


def _let_autovacuum(is_on: bool) -> None:
    """Turn autovacuum on or off. Of so few rows, PostgreSQL would sort all once it knows that all are visible."""
    if connection.vendor == "postgresql":
        change = "RESET (autovacuum_enabled)" if is_on else "SET (autovacuum_enabled = off)"
        with connection.cursor() as cursor:
            for table in ("conversations_conversation", "conversations_metadatapair"):
                cursor.execute(f"ALTER TABLE {table} {change}")


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


@pytest.mark.parametrize("is_ascending", [False, True])
@pytest.mark.parametrize("is_deep", [False, True])
@pytest.mark.parametrize("query", [EVERYTHING, COMMON])
def test_frequent_matches_are_read_in_the_order_of_last_activity(owner, db, query, is_deep, is_ascending, monkeypatch):
    monkeypatch.setattr("conversations.search.planner.MAX_SORTED", 20)
    key = {"order_by": "last_item_at", "order": "asc" if is_ascending else "desc", "matching": query}
    cursor = {"after": Conversation.objects.page(limit=100, **key).rows[-1].pk} if is_deep else {}
    with capture_statements() as statements:
        assert len(Conversation.objects.page(limit=20, **key, **cursor).rows) == 20
    *_, page = [plan_steps(*statement) for statement in statements]
    assert "conversations_active" in page, page
    if connection.vendor == "postgresql":
        page -= {"sort"}  # of the rows of one hour, because the index has no more than the hour
    assert not any(step.startswith(("scan of", "hash", "sort")) for step in page), page


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


@pytest.mark.parametrize("operator", ["lt", "gte"])
def test_many_conversations_are_counted_in_the_order_of_last_activity(owner, db, operator, monkeypatch):
    monkeypatch.setattr("conversations.search.text_scan.MAX_CANDIDATES", 20)
    middle = Conversation.objects.order_by("last_item_at")[NUMBER // 2]
    condition = ActiveCondition(operator, int(middle.last_item_at.timestamp()))
    with capture_statements() as statements:
        assert Conversation.objects.capped_count(20, matching=condition) == 20
    for statement in statements:
        read = plan_steps(*statement)
        assert "conversations_active" in read, read
        assert not any(step.startswith("scan of") for step in read), read


if connection.vendor == "postgresql":

    @pytest.mark.parametrize("order", ["desc", "asc"])
    def test_ids_later_than_the_time_of_last_activity_are_skipped(owner, db, order, monkeypatch):
        monkeypatch.setattr("conversations.search.text_scan.MAX_CANDIDATES", 20)
        middle = Conversation.objects.order_by("last_item_at")[NUMBER // 2]
        newest = Conversation.objects.order_by("pk").last()
        Conversation.objects.filter(pk=newest.pk).update(last_item_at=middle.last_item_at - timedelta(days=1))
        condition = ActiveCondition("lt", int(middle.last_item_at.timestamp()))
        rows = Conversation.objects.page(limit=NUMBER, order=order, matching=condition).rows
        second = middle.last_item_at.replace(microsecond=0)
        expected = [row.pk for row in Conversation.objects.order_by("pk") if row.last_item_at < second]
        assert [row.pk for row in rows] == (expected if order == "asc" else expected[::-1])
        assert newest.pk in expected
        with capture_statements() as statements:
            Conversation.objects.page(limit=20, order=order, matching=condition)
        earlier, backdated = (plan_steps(*statement) for statement in statements[-2:])
        assert "pk of Conversation" in earlier, earlier
        assert "conversations_backdated" in backdated, backdated
