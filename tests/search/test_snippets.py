import pytest

from conversations.models import Conversation, Item, ItemText
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query

pytestmark = pytest.mark.django_db


def said(owner, *texts):
    items = validate_items([{"role": "user", "content": text} for text in texts])
    return Conversation.create_with_items(owner=owner, items=items)


def snippets(query, *conversations):
    conversation_ids = [conversation.pk for conversation in conversations]
    return ItemText.objects.snippets(parse_query(query), items=Item.objects.all(), conversation_ids=conversation_ids)


def shown(query, conversation):
    snippet = snippets(query, conversation)[conversation.pk]
    start, end = "…" * snippet.is_cut_before, "…" * snippet.is_cut_after
    return f"{start}{snippet.before}[{snippet.hit}]{snippet.after}{end}"


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ('"refund policy"', "Our Refund\n\nPolicy is simple", "Our [Refund Policy] is simple"),
        ("refund", "refund, refund", "[refund], refund"),
        ("退款", "我想申请退款。", "我想申请[退款]。"),
        ("refund", f"{'a' * 79} refund {'b' * 79}", f"{'a' * 79} [refund] {'b' * 79}"),
        ("refund", f"{'a' * 80} refund {'b' * 80}", f"…{'a' * 79} [refund] {'b' * 79}…"),
        ("nowhere OR policy", "the policy", "the [policy]"),
        ("x" * 70, "a " + "x" * 70, "[]a " + "x" * 70),
        ("script", "<script>alert(1)</script>", "<[script]>alert(1)</script>"),
    ],
)
def test_it_shows_what_is_around_the_hit(alice, query, text, expected):
    assert shown(query, said(alice, text)) == expected


def test_the_first_of_the_items_that_say_most_is_shown(alice):
    conversation = said(alice, "a refund", "refund and policy", "policy, refund", "policy")
    snippet = snippets("refund policy", conversation)[conversation.pk]
    assert snippet.item_id == conversation.items.get(position=2).item_id


def test_of_what_must_not_be_there_and_of_metadata_nothing_is_shown(alice):
    conversation = said(alice, "a refund", "a policy")
    assert snippets("-refund", conversation) == snippets("topic:refund", conversation) == {}
    assert shown("policy -topic:refund", conversation) == "a [policy]"


def test_conversations_without_a_hit_have_no_snippet(alice):
    one, other = said(alice, "refund"), said(alice, "hello")
    assert snippets("refund OR topic:demo", one, other).keys() == {one.pk}
    assert snippets("refund") == snippets("nowhere", one) == {}


@pytest.mark.parametrize("number", [1, 30])
def test_it_takes_two_queries_for_any_number(alice, django_assert_num_queries, number):
    conversations = [said(alice, *["refund policy"] * 5) for _ in range(number)]
    with django_assert_num_queries(2):
        assert len(snippets("refund policy", *conversations)) == number
