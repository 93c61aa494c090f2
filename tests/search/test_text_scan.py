"""Whatever is asked together with words, and however common these are, the page holds what matches."""

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.models import Conversation, ItemText
from conversations.schema.items import validate_items
from conversations.schema.query.nodes import And, Not, Or, Query, TextCondition
from conversations.search import item_text, text_scan
from tests.search import random_queries

# MariaDB and MySQL tell of words that are committed, and of no others.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")

WORDS = ["refund", "policy", "the", "退款", "Größe", "🙏"]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join), max_size=3)
phrase = st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map(" ".join)
query = random_queries.trees(st.builds(TextCondition, phrase) | random_queries.condition)


def matches(query: Query, metadata: dict[str, str], texts: list[str]) -> bool:
    match query:
        case And(parts):
            return all(matches(part, metadata, texts) for part in parts)
        case Or(parts):
            return any(matches(part, metadata, texts) for part in parts)
        case Not(part):
            return not matches(part, metadata, texts)
        case TextCondition(phrase):
            return any(f" {phrase} " in f" {text} " for text in texts)
    return random_queries.matches(query, metadata)


@pytest.fixture
def conversations(alice) -> list[tuple[Conversation, list[str]]]:
    rows = []

    @settings(max_examples=60, derandomize=True, database=None)
    @given(random_queries.metadata, texts)
    def create(metadata, said):
        items = validate_items([{"role": "user", "content": text} for text in said])
        rows.append((Conversation.objects.create_with_items(owner=alice, metadata=metadata, items=items), said))

    create()
    return rows


@random_queries.many
@given(
    query=query,
    order=st.sampled_from(["asc", "desc"]),
    limit=st.sampled_from([1, 3, 100]),
    few=st.sampled_from([0, 5, 1_000]),
    window=st.sampled_from([1, 7, 1_000]),
    frequent=st.sampled_from([0, 20_000]),
    after=st.none() | st.integers(0, 59),
)
def test_page_contains_the_matches_in_order(conversations, query, order, limit, few, window, frequent, after):
    ordered = conversations if order == "asc" else conversations[::-1]
    rest = ordered if after is None else ordered[after + 1 :]
    expected = [row.pk for row, said in rest if matches(query, row.metadata, said)]
    place = None if after is None else ordered[after][0].pk
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_scan, "MAX_CANDIDATES", few)
        patch.setattr(text_scan, "MAX_SCANNED", window)
        patch.setattr(item_text, "FREQUENT", frequent)
        page = Conversation.objects.page(limit=limit, order=order, after=place, matching=query)
        assert [row.pk for row in page.rows] == expected[:limit]
        assert page.has_more == (len(expected) > limit)
        everything = {row.pk for row, said in conversations if matches(query, row.metadata, said)}
        assert Conversation.objects.capped_count(100, matching=query) == len(everything)
        assert set(Conversation.objects.matching(query).values_list("pk", flat=True)) == everything


def test_frequent_phrases_are_recognized_from_statistics(alice, monkeypatch, django_assert_num_queries):
    """To PostgreSQL; the others have nothing to ask for it."""
    knows = connection.vendor == "postgresql"
    monkeypatch.setattr(item_text, "FREQUENT", 50)
    for said in [["the order"] * 20] * 10 + [["a platypus"]]:
        items = validate_items([{"role": "user", "content": text} for text in said])
        Conversation.objects.create_with_items(owner=alice, items=items)
    if knows:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE conversations_itemtext")
    asked = ["order", "the order", "platypus", "order platypus", "unheard", "!"]
    with django_assert_num_queries(5 if knows else 0) as queries:
        found = [phrase for phrase in asked if ItemText.objects.is_frequent(phrase)]
    assert found == (["order", "the order"] if knows else [])
    assert all(query["sql"].startswith("EXPLAIN ") for query in queries)
