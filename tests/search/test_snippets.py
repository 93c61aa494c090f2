import pytest

from conversations.models import Conversation, Item, ItemText
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query

pytestmark = pytest.mark.django_db


def create_conversation(owner, *texts):
    items = validate_items([{"role": "user", "content": text} for text in texts])
    return Conversation.objects.create_with_items(owner=owner, items=items)


def snippets(query, *conversations):
    conversation_ids = [conversation.pk for conversation in conversations]
    return ItemText.objects.snippets(parse_query(query), items=Item.objects.all(), conversation_ids=conversation_ids)


def format_snippet(query, conversation):
    snippet = snippets(query, conversation)[conversation.pk]
    start, end = "…" * snippet.is_cut_before, "…" * snippet.is_cut_after
    return f"{start}{snippet.before}[{snippet.hit}]{snippet.after}{end}"


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ('"refund policy"', "Our Refund\n\nPolicy is simple", "Our [Refund Policy] is simple"),
        ("refund", "refund, refund", "[refund], refund"),
        ("退款", "我想申请退款。", "我想申请[退款]。"),
        ('"w\ufffds"', "dir W\0s\0l", "dir [W\ufffds]\ufffdl"),
        ("refund", f"{'a' * 79} refund {'b' * 79}", f"{'a' * 79} [refund] {'b' * 79}"),
        ("refund", f"{'a' * 80} refund {'b' * 80}", f"…{'a' * 79} [refund] {'b' * 79}…"),
        ("nowhere OR policy", "the policy", "the [policy]"),
        ("x" * 70, "a " + "x" * 70, "[]a " + "x" * 70),
        ("script", "<script>alert(1)</script>", "<[script]>alert(1)</script>"),
    ],
)
def test_snippet_shows_the_text_around_the_hit(alice, query, text, expected):
    assert format_snippet(query, create_conversation(alice, text)) == expected


def test_snippet_comes_from_the_first_item_with_the_most_phrases(alice):
    conversation = create_conversation(alice, "a refund", "refund and policy", "policy, refund", "policy")
    snippet = snippets("refund policy", conversation)[conversation.pk]
    assert snippet.item_id == conversation.items.get(position=2).item_id


def test_negated_phrases_and_metadata_conditions_have_no_snippet(alice):
    conversation = create_conversation(alice, "a refund", "a policy")
    assert snippets("-refund", conversation) == snippets("topic:refund", conversation) == {}
    assert format_snippet("policy -topic:refund", conversation) == "a [policy]"


def test_conversations_without_a_hit_have_no_snippet(alice):
    one, other = create_conversation(alice, "refund"), create_conversation(alice, "hello")
    assert snippets("refund OR topic:demo", one, other).keys() == {one.pk}
    assert snippets("refund") == snippets("nowhere", one) == {}


@pytest.mark.parametrize("number", [1, 30])
def test_snippets_take_two_queries_for_any_number_of_conversations(alice, django_assert_num_queries, number):
    conversations = [create_conversation(alice, *["refund policy"] * 5) for _ in range(number)]
    with django_assert_num_queries(2):
        assert len(snippets("refund policy", *conversations)) == number
