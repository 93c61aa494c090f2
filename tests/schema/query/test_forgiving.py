import pytest
from hypothesis import given

from conversations.errors import APIError
from conversations.schema.query.forgiving import read_forgivingly
from conversations.schema.query.nodes import And, MetadataCondition, Not, TextCondition
from conversations.schema.query.parser import MAX_LENGTH, parse_query
from tests.schema.query.random_trees import texts
from tests.schema.query.typed_texts import TYPED, WORDLESS


def is_topic(key: str) -> bool:
    return key == "topic"


@pytest.mark.parametrize("text", TYPED)
def test_typed_text_is_read_as_words(text):
    reading, _position = TYPED[text]
    assert read_forgivingly(text, is_key=is_topic).text == reading


@pytest.mark.parametrize("text", TYPED)
def test_strict_mode_refuses_typed_text_with_its_position(text):
    _reading, position = TYPED[text]
    if position is None:
        parse_query(text)
        return
    with pytest.raises(APIError, match=rf"at position {position}, but got") as refused:
        parse_query(text)
    assert refused.value.status == 400


@pytest.mark.parametrize("text", WORDLESS)
def test_text_without_words_has_nothing_to_search_for(text):
    assert read_forgivingly(text).query is None


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_blank_text_matches_everything(text):
    assert read_forgivingly(text).query == And(())


@given(texts)
def test_any_text_is_read_as_a_query_of_the_strict_language(text):
    reading = read_forgivingly(text, is_key=is_topic)
    if reading.query is not None:
        assert parse_query(reading.text) == reading.query
        assert read_forgivingly(reading.text, is_key=is_topic) == reading


@given(texts)
def test_forgiving_mode_reads_strict_queries_as_the_strict_parser_does(text):
    try:
        query = parse_query(text)
    except APIError:
        return
    assert read_forgivingly(text).query == query


def test_key_that_no_metadata_has_is_words():
    assert read_forgivingly("topic:demo", is_key=is_topic).query == MetadataCondition("topic", "eq", ("demo",))
    for text in ("tenant:acme", "tenant^acme", "tenant~acme"):
        assert read_forgivingly(text, is_key=is_topic).query == TextCondition(text)
    assert read_forgivingly('-tenant:"a b"', is_key=is_topic).query == Not(TextCondition("tenant: a b"))


def test_key_in_brackets_is_always_a_key():
    assert read_forgivingly("-tenant:*", is_key=is_topic).query == Not(MetadataCondition("tenant", "exists"))
    assert read_forgivingly('metadata["a"]:b', is_key=is_topic).query == MetadataCondition("a", "eq", ("b",))


def test_text_beyond_a_limit_is_read_as_one_phrase():
    words = " ".join(f"word{n}" for n in range(17))
    assert read_forgivingly(words).query == TextCondition(words)
    assert read_forgivingly("(" * 30 + "C++" + ")" * 30).text.strip('"() ') == "C++"
    assert isinstance(read_forgivingly("x" * 600).query, And)


@pytest.mark.parametrize(
    "text", ["a " * 2_000, "x" * 3_000, "(" * 3_000 + "a", "OR " * 1_000, '"' * 3_000 + "a", "\\a" * 999]
)
def test_text_of_any_length_is_read(text):
    reading = read_forgivingly(text)
    assert len(reading.text) <= MAX_LENGTH + 2
