import pytest
from django.core.management import call_command
from django.db import connection, transaction

from conversations.deletion import delete_conversation
from conversations.errors import APIError
from conversations.models import Conversation, ItemText
from conversations.schema.items import validate_items
from conversations.schema.query.nodes import TextCondition
from conversations.schema.query.parser import parse_query
from conversations.search import text_scan
from tests.waiting import wait_until

# MariaDB and MySQL tell of words that are committed, and of no others.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")


def create_conversation(owner, *texts, **metadata):
    items = validate_items([{"role": "user", "content": text} for text in texts])
    return Conversation.objects.create_with_items(owner=owner, metadata=metadata, items=items)


def search(text, **options):
    page = Conversation.objects.page(limit=100, order="desc", matching=parse_query(text), **options)
    ids = [conversation.pk for conversation in page.rows]
    assert sorted(Conversation.objects.matching(parse_query(text)).values_list("pk", flat=True)) == sorted(ids)
    assert Conversation.objects.capped_count(1_000, matching=parse_query(text)) == len(ids)
    return ids


@pytest.fixture(params=["few", "many", "beyond the window"])
def search_strategy(request, monkeypatch):
    """Each of the ways in which a page is found."""
    if request.param != "few":
        monkeypatch.setattr(text_scan, "MAX_CANDIDATES", 0)
    if request.param == "beyond the window":
        monkeypatch.setattr(text_scan, "MAX_SCANNED", 2)


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
def test_search_finds_the_same_on_every_database_and_by_every_strategy(alice, search_strategy, query, expected):
    conversations = [create_conversation(alice, text) for text in TEXTS]
    assert search(query) == [conversations[n].pk for n in reversed(expected)]


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
def test_text_conditions_combine_with_other_conditions(alice, search_strategy, query, expected):
    conversations = [
        create_conversation(alice, "refund policy", topic="demo"),
        create_conversation(alice, "refund"),
        create_conversation(alice, "refund", "policy", topic="demo"),
        create_conversation(alice, "policy", topic="demo"),
        create_conversation(alice, "hello", topic="other"),
    ]
    assert search(query) == [conversations[n].pk for n in sorted(expected, reverse=True)]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_contain_each_match_once_and_in_order(alice, bob, search_strategy, order, limit):
    rows = [create_conversation(alice, "refund" if n % 3 else "hello", "refund") for n in range(9)]
    create_conversation(bob, "refund")
    conversations = Conversation.objects.visible_to(alice)
    expected = rows if order == "asc" else rows[::-1]
    read, after, has_more = [], None, True
    while has_more:
        page = conversations.page(limit=limit, order=order, after=after, matching=parse_query("refund"))
        read += page.rows
        after, has_more = page.rows[-1].pk, page.has_more
    assert read == expected
    before = conversations.page(limit=limit, order=order, before=expected[4].pk, matching=parse_query("refund"))
    assert before.rows == expected[max(4 - limit, 0) : 4]
    assert conversations.capped_count(100, matching=parse_query("refund")) == 9
    assert conversations.capped_count(4, matching=parse_query("refund")) == 4


def test_phrase_without_words_matches_nothing(alice, search_strategy):
    create_conversation(alice, "?!", "hello")
    page = Conversation.objects.page(limit=1, order="asc", matching=TextCondition("?!"))
    assert page.rows == []
    assert not Conversation.objects.matching(TextCondition("?!")).exists()


def test_appended_items_are_found_and_deleted_items_are_not(alice):
    conversation = create_conversation(alice, "hello")
    [item] = conversation.add_items(items=validate_items([{"role": "user", "content": "refund"}]))
    assert search("refund") == search("hello") == [conversation.pk]
    conversation.delete_item(item_id=item.item_id)
    assert search("refund") == []
    delete_conversation(conversation)
    assert search("hello") == []
    assert not ItemText.objects.exists()


def test_deleting_an_item_removes_its_text_even_if_full_text_search_is_off(alice, settings):
    conversation = create_conversation(alice, "hello", "refund")
    settings.CONVERSATIONS_FULL_TEXT = False
    conversation.delete_item(item_id=conversation.items.get(position=2).item_id)
    settings.CONVERSATIONS_FULL_TEXT = True
    assert search("refund") == []
    assert ItemText.objects.count() == 1


def test_rolled_back_items_are_not_found(alice):
    with transaction.atomic():
        create_conversation(alice, "refund")
        transaction.set_rollback(True)
    assert search("refund") == []


def test_item_without_text_has_no_item_text(alice):
    silent = validate_items([{"type": "compaction", "encrypted_content": "x"}])
    Conversation.objects.create_with_items(owner=alice, items=silent)
    create_conversation(alice, "...")
    assert not ItemText.objects.exists()


def test_long_text_is_indexed_up_to_the_limit(alice):
    text = "word " * 19_998 + "last beyond"  # of 99,990 + 11 characters
    conversation = create_conversation(alice, text)
    assert search("last") == [conversation.pk]
    assert search("beyond") == []


def test_text_with_many_distinct_words_is_indexed(alice):
    conversation = create_conversation(
        alice, " ".join(f"{n:x}" for n in range(16_000)), "".join(map(chr, range(0x4E00, 0x9FA5)))
    )
    # At some time InnoDB moves so many new words to its tables, and meanwhile may find none of them.
    first, last = (Conversation.objects.matching(parse_query(word)) for word in ("3e7f", "龙"))
    wait_until(lambda: [*first.all(), *last.all()] == [conversation, conversation])


@pytest.mark.parametrize("text", ["refund", "-refund", "topic:demo OR refund"])
def test_disabled_full_text_search_indexes_nothing_and_refuses_text_queries(alice, settings, text):
    settings.CONVERSATIONS_FULL_TEXT = False
    create_conversation(alice, "refund", topic="demo")
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
    assert conversations.page(limit=1, order="asc", matching=parse_query("topic:demo")).rows


@pytest.mark.django_db(transaction=True)
def test_flushed_text_is_not_found(alice):
    create_conversation(alice, "refund")
    call_command("flush", interactive=False, verbosity=0)
    alice.save(force_insert=True)
    conversation = create_conversation(alice, "hello")
    assert search("refund") == []
    assert search("hello") == [conversation.pk]
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO conversations_itemtext_words(conversations_itemtext_words, rank)"
                " VALUES ('integrity-check', 1)"
            )
