import pytest

from conversations.errors import APIError
from conversations.models import Conversation
from conversations.schema.query.nodes import And, MetadataCondition, Query
from tests.plans import capture_statements

KEYS = [
    "topic",
    "1",
    "__gt",
    "a__b",
    "'; DROP TABLE x; --",
    '"quoted"',
    "a[b]",
    "$.a",
    "%s",
    "ключ",
    "🦓",
    "",
    " ",
    "a\\",
]


def has_pairs(metadata: dict[str, str]) -> Query:
    return And(tuple(MetadataCondition(key, "eq", (value,)) for key, value in metadata.items()))


@pytest.mark.parametrize("key", KEYS)
def test_metadata_keys_with_special_characters_match_literally(alice, key):
    match = Conversation.objects.create_with_items(owner=alice, metadata={key: "demo"})
    Conversation.objects.create_with_items(owner=alice, metadata={f"{key}x": "demo"})
    assert list(Conversation.objects.matching(has_pairs({key: "demo"}))) == [match]


@pytest.mark.parametrize(
    "near", ["Demo", "demo ", " demo", "dem", "demo\t", "de\u0301mo", "%", "_emo", "", "DEMO", "'demo'", '"demo"']
)
def test_values_compare_byte_for_byte(alice, near):
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": near})
    match = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
    assert list(Conversation.objects.matching(has_pairs({"topic": "demo"}))) == [match]
    assert Conversation.objects.matching(has_pairs({"topic": near})).exists()


def test_all_pairs_must_match(alice):
    Conversation.objects.create_with_items(owner=alice, metadata={"a": "1"})
    both = Conversation.objects.create_with_items(owner=alice, metadata={"a": "1", "b": "2"})
    assert list(Conversation.objects.matching(has_pairs({"a": "1", "b": "2"}))) == [both]
    assert Conversation.objects.matching(has_pairs({})).count() == 2


def test_longest_possible_pairs_can_be_matched(alice):
    longest = {"🦓" * 64: "😀" * 512}
    match = Conversation.objects.create_with_items(owner=alice, metadata=longest)
    assert list(Conversation.objects.matching(has_pairs(longest))) == [match]


def test_keys_that_differ_only_in_their_bytes_are_distinct(alice):
    metadata = {"a": "1", "A": "2", "a ": "3", "á": "4", "a\u0301": "5"}
    conversation = Conversation.objects.create_with_items(owner=alice, metadata=metadata)
    assert Conversation.objects.get().metadata == metadata
    for key, value in metadata.items():
        assert Conversation.objects.matching(has_pairs({key: value})).get() == conversation


@pytest.mark.parametrize("key", KEYS)
def test_pairs_can_be_given_as_a_dictionary_or_by_name(alice, key):
    match = Conversation.objects.create_with_items(owner=alice, metadata={key: "demo", "plan": "team"})
    Conversation.objects.create_with_items(owner=alice, metadata={key: "demo", "plan": "free"})
    assert Conversation.objects.with_metadata({key: "demo"}, plan="team").get() == match
    assert Conversation.objects.with_metadata({key: "demo"}).count() == 2
    assert Conversation.objects.with_metadata().count() == 2


def test_query_may_be_a_text_or_a_tree(alice):
    match = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
    Conversation.objects.create_with_items(owner=alice)
    conversations = Conversation.objects.visible_to(alice)
    for query in ("topic:demo created>=2026-01-01", MetadataCondition("topic", "eq", ("demo",))):
        assert conversations.matching(query).get() == match
        assert conversations.page(limit=20, matching=query).rows == [match]
        assert conversations.capped_count(10, matching=query) == 1
    with pytest.raises(APIError) as raised:
        conversations.matching("topic:")
    assert (raised.value.param, raised.value.code) == ("query", "invalid_query")


def test_filtered_conversations_can_be_paged_and_counted(alice, bob):
    match = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo", "plan": "team"})
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
    Conversation.objects.create_with_items(owner=bob, metadata={"topic": "demo", "plan": "team"})
    for conversations in (
        Conversation.objects.visible_to(alice).with_metadata(plan="team"),
        Conversation.objects.with_metadata(plan="team").visible_to(alice),
        alice.conversations.matching("plan:team created>2026-01-01"),
    ):
        for query in ("", "topic:demo", "topic:* -topic:other"):
            assert conversations.page(limit=5, matching=query).rows == [match]
            assert conversations.capped_count(5, matching=query) == 1


def test_conversations_of_a_user_are_a_page_newest_first(alice, bob):
    rows = [Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}) for _ in range(3)]
    Conversation.objects.create_with_items(owner=bob, metadata={"topic": "demo"})
    for query in ("", "topic:demo"):
        page = alice.conversations.page(limit=2, matching=query)
        assert (page.rows, page.has_more) == ([rows[2], rows[1]], True)
        with capture_statements() as of_manager:
            alice.conversations.page(limit=2, matching=query)
        with capture_statements() as of_queryset:
            Conversation.objects.visible_to(alice).page(limit=2, matching=query)
        assert of_manager == of_queryset


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("@owner:bob", {"bob's demo", "bob's"}),
        ("-@owner:bob", {"alice's demo"}),
        ("@owner:bob topic:demo", {"bob's demo"}),
        ("topic:demo -@owner:bob", {"alice's demo"}),
        ("@owner:bob OR topic:demo", {"alice's demo", "bob's demo", "bob's"}),
        ("@owner:carol", set()),
        ("topic:demo @owner:carol", set()),
    ],
)
def test_owner_condition_matches_the_username(alice, bob, query, names):
    rows = {
        "alice's demo": Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}).pk,
        "bob's demo": Conversation.objects.create_with_items(owner=bob, metadata={"topic": "demo"}).pk,
        "bob's": Conversation.objects.create_with_items(owner=bob).pk,
    }
    expected = sorted((rows[name] for name in names), reverse=True)
    conversations = Conversation.objects.all()
    assert [row.pk for row in conversations.page(limit=9, matching=query).rows] == expected
    assert conversations.capped_count(9, matching=query) == len(expected)
    assert {row.pk for row in conversations.matching(query)} == set(expected)
