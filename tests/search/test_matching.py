import pytest

from conversations.models import Conversation
from conversations.schema.query.nodes import And, MetadataCondition, Query

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
    match = Conversation.create_with_items(owner=alice, metadata={key: "demo"})
    Conversation.create_with_items(owner=alice, metadata={f"{key}x": "demo"})
    assert list(Conversation.objects.matching(has_pairs({key: "demo"}))) == [match]


@pytest.mark.parametrize(
    "near", ["Demo", "demo ", " demo", "dem", "demo\t", "de\u0301mo", "%", "_emo", "", "DEMO", "'demo'", '"demo"']
)
def test_values_compare_byte_for_byte(alice, near):
    Conversation.create_with_items(owner=alice, metadata={"topic": near})
    match = Conversation.create_with_items(owner=alice, metadata={"topic": "demo"})
    assert list(Conversation.objects.matching(has_pairs({"topic": "demo"}))) == [match]
    assert Conversation.objects.matching(has_pairs({"topic": near})).exists()


def test_all_pairs_must_match(alice):
    Conversation.create_with_items(owner=alice, metadata={"a": "1"})
    both = Conversation.create_with_items(owner=alice, metadata={"a": "1", "b": "2"})
    assert list(Conversation.objects.matching(has_pairs({"a": "1", "b": "2"}))) == [both]
    assert Conversation.objects.matching(has_pairs({})).count() == 2


def test_longest_possible_pairs_can_be_matched(alice):
    longest = {"🦓" * 64: "😀" * 512}
    match = Conversation.create_with_items(owner=alice, metadata=longest)
    assert list(Conversation.objects.matching(has_pairs(longest))) == [match]


def test_keys_that_differ_only_in_their_bytes_are_distinct(alice):
    metadata = {"a": "1", "A": "2", "a ": "3", "á": "4", "a\u0301": "5"}
    conversation = Conversation.create_with_items(owner=alice, metadata=metadata)
    assert Conversation.objects.get().metadata == metadata
    for key, value in metadata.items():
        assert Conversation.objects.matching(has_pairs({key: value})).get() == conversation
