from time import sleep

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from conversations.errors import APIError
from conversations.models import Conversation, ItemText
from conversations.schema.items import validate_items
from conversations.schema.query.nodes import TextCondition
from conversations.schema.query.parser import parse_query
from conversations.search import text_scan

# MariaDB and MySQL tell of words that are committed, and of no others.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")


def said(owner, *texts, **metadata):
    items = validate_items([{"role": "user", "content": text} for text in texts])
    return Conversation.create_with_items(owner=owner, metadata=metadata, items=items)


def found(text, **options):
    page = Conversation.objects.page(limit=100, order="desc", matching=parse_query(text), **options)
    ids = [conversation.pk for conversation in page.conversations]
    assert sorted(Conversation.objects.matching(parse_query(text)).values_list("pk", flat=True)) == sorted(ids)
    assert Conversation.objects.capped_count(1_000, matching=parse_query(text)) == len(ids)
    return ids


@pytest.fixture(params=["few", "many", "beyond the window"])
def way(request, monkeypatch):
    """Each of the ways in which a page is found."""
    if request.param != "few":
        monkeypatch.setattr(text_scan, "MAX_FEW", 0)
    if request.param == "beyond the window":
        monkeypatch.setattr(text_scan, "WINDOW", 2)


TEXTS = [
    "Our refund policy is simple.",
    "REFUND POLICY",
    "A policy of refund",
    "refunds and policies",
    "Rückgabe: café, Größe 42",
    "我想申请退款, 谢谢",
    "환불을 받고 싶어요",
    "ขอเงินคืน",
    "मुझे धनवापसी चाहिए",
    "Привет, мир",
    "Thanks 🙏🏽👍",
    "it is in the to of a",
    "x" * 200,
    "ж" * 200,
    "find_shipment('order-1234')",
    "100%",
    "",
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"refund policy"', [0, 1]),
        ('"policy refund"', []),
        ("refund policy", [0, 1, 2]),
        ("Refund", [0, 1, 2]),
        ("refund -policy", []),
        ('policy -"refund policy"', [2]),
        ('"policy is"', [0]),
        ('"policy of" OR refunds', [2, 3]),
        ("café", [4]),
        ("CAFÉ", [4]),
        ("cafe", []),
        ('"cafe\u0301 grösse 42"', [4]),
        ("退款", [5]),
        ("款退", []),
        ("申请", [5]),
        ("谢", [5]),
        ("환불", [6]),
        ("เงิน", [7]),
        ("धनवापसी", [8]),
        ("धन", []),
        ("привет", [9]),
        ('"🙏"', [10]),
        ('"🙏👍"', [10]),
        ('"👍🙏"', []),
        ("it", [11]),
        ('"in the to of"', [11]),
        ("a", [2, 11]),
        ("x" * 200, [12]),
        ("x" * 100, [12]),
        ("x" * 63, []),
        ("ж" * 200, [13]),
        ("shipment", [14]),
        ('"order 1234"', [14]),
        ("1234", [14]),
        ("100", [15]),
        ("nowhere", []),
        ("zz", []),
    ],
)
def test_the_same_is_found_on_every_database_and_in_every_way(alice, way, query, expected):
    conversations = [said(alice, text) for text in TEXTS]
    assert found(query) == [conversations[n].pk for n in reversed(expected)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("refund topic:demo", {0, 2}),
        ("refund -topic:demo", {1}),
        ("refund OR topic:demo", {0, 1, 2, 3}),
        ("-refund", {3, 4}),
        ("-refund -policy", {4}),
        ("topic:demo -refund", {3}),
        ("(refund policy) OR topic:other", {0, 2, 4}),
        ("refund topic:nowhere", set()),
        ("created<1 refund", set()),
        ("refund created>1", {0, 1, 2}),
        ("topic^d -(policy OR nowhere)", set()),
        ("topic~emo policy", {0, 2, 3}),
    ],
)
def test_it_joins_other_conditions(alice, way, query, expected):
    conversations = [
        said(alice, "refund policy", topic="demo"),
        said(alice, "refund"),
        said(alice, "refund", "policy", topic="demo"),
        said(alice, "policy", topic="demo"),
        said(alice, "hello", topic="other"),
    ]
    assert found(query) == [conversations[n].pk for n in sorted(expected, reverse=True)]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_hold_each_match_once_and_in_order(alice, bob, way, order, limit):
    rows = [said(alice, "refund" if n % 3 else "hello", "refund") for n in range(9)]
    said(bob, "refund")
    conversations = Conversation.objects.visible_to(alice)
    expected = rows if order == "asc" else rows[::-1]
    read, after, has_more = [], None, True
    while has_more:
        page = conversations.page(limit=limit, order=order, after=after, matching=parse_query("refund"))
        read += page.conversations
        after, has_more = page.conversations[-1].pk, page.has_more
    assert read == expected
    before = conversations.page(limit=limit, order=order, before=expected[4].pk, matching=parse_query("refund"))
    assert before.conversations == expected[max(4 - limit, 0) : 4]
    assert conversations.capped_count(100, matching=parse_query("refund")) == 9
    assert conversations.capped_count(4, matching=parse_query("refund")) == 4


def test_a_phrase_without_words_finds_nothing(alice, way):
    said(alice, "?!", "hello")
    page = Conversation.objects.page(limit=1, order="asc", matching=TextCondition("?!"))
    assert page.conversations == []
    assert not Conversation.objects.matching(TextCondition("?!")).exists()


def test_what_is_appended_is_found_and_what_is_deleted_is_not(alice):
    conversation = said(alice, "hello")
    [item] = conversation.add_items(items=validate_items([{"role": "user", "content": "refund"}]))
    assert found("refund") == found("hello") == [conversation.pk]
    conversation.delete_item(item_id=item.item_id)
    assert found("refund") == []
    conversation.delete_with_items()
    assert found("hello") == []
    assert not ItemText.objects.exists()


def test_a_text_that_is_deleted_leaves_the_database_even_where_full_text_search_is_off_by_now(alice, settings):
    conversation = said(alice, "hello", "refund")
    settings.CONVERSATIONS_FULL_TEXT = False
    conversation.delete_item(item_id=conversation.items.get(position=2).item_id)
    settings.CONVERSATIONS_FULL_TEXT = True
    assert found("refund") == []
    assert ItemText.objects.count() == 1


def test_what_is_rolled_back_is_not_found(alice):
    with transaction.atomic():
        said(alice, "refund")
        transaction.set_rollback(True)
    assert found("refund") == []


def test_an_item_that_says_nothing_has_no_row(alice):
    silent = validate_items([{"type": "compaction", "encrypted_content": "x"}])
    Conversation.create_with_items(owner=alice, items=silent)
    said(alice, "...")
    assert not ItemText.objects.exists()


def test_a_long_text_is_found_by_words_near_its_limit_and_not_beyond(alice):
    text = "word " * 19_998 + "last beyond"  # of 99,990 + 11 characters
    conversation = said(alice, text)
    assert found("last") == [conversation.pk]
    assert found("beyond") == []


def test_a_text_of_many_different_words_can_be_stored(alice):
    conversation = said(alice, " ".join(f"{n:x}" for n in range(16_000)), "".join(map(chr, range(0x4E00, 0x9FA5))))
    if connection.vendor == "mysql":
        sleep(1)  # InnoDB moves so many new words to its tables at once, and meanwhile may find none of them
    assert found("3e7f") == found("龙") == [conversation.pk]


@pytest.mark.parametrize("text", ["refund", "-refund", "topic:demo OR refund"])
def test_where_it_is_off_nothing_is_written_and_no_text_can_be_asked_for(alice, settings, text):
    settings.CONVERSATIONS_FULL_TEXT = False
    said(alice, "refund", topic="demo")
    assert not ItemText.objects.exists()
    query = parse_query(text)
    conversations = Conversation.objects.all()
    for ask in (
        lambda: conversations.matching(query),
        lambda: conversations.page(limit=1, order="asc", matching=query),
        lambda: conversations.capped_count(1, matching=query),
    ):
        with pytest.raises(APIError) as refused:
            ask()
        assert (refused.value.status, refused.value.param, refused.value.code) == (400, "query", "full_text_off")
    assert conversations.page(limit=1, order="asc", matching=parse_query("topic:demo")).conversations


@pytest.mark.django_db(transaction=True)
def test_flushing_the_database_leaves_nothing_to_be_found(alice):
    said(alice, "refund")
    call_command("flush", interactive=False, verbosity=0)
    alice.save(force_insert=True)
    conversation = said(alice, "hello")
    assert found("refund") == []
    assert found("hello") == [conversation.pk]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO conversations_itemtext_words(conversations_itemtext_words, rank)"
                " VALUES ('integrity-check', 1)"
            )
