import pytest

from conversations.errors import APIError
from conversations.schema.query.nodes import And, MetadataCondition, Not, Or, TextCondition, collect_phrases, is_bounded
from conversations.schema.query.parser import parse_query
from tests.schema.query.query_trees import OPERATOR

DEMO = MetadataCondition("topic", "eq", ("demo",))
REFUND, POLICY, BOTH = TextCondition("refund"), TextCondition("policy"), TextCondition("refund policy")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ('"refund policy"', BOTH),
        ("refund", REFUND),
        ("refund policy", And((REFUND, POLICY))),
        ("refund AND policy", And((REFUND, POLICY))),
        ('topic:demo "refund policy"', And((DEMO, BOTH))),
        ("topic:demo refund", And((DEMO, REFUND))),
        ("refund topic:demo", And((REFUND, DEMO))),
        ('"refund policy" OR topic:demo', Or((BOTH, DEMO))),
        ('-"refund policy"', Not(BOTH)),
        ("-refund", Not(REFUND)),
        ("(refund OR policy) -topic:demo", And((Or((REFUND, POLICY)), Not(DEMO)))),
        ('"say \\"no\\""', TextCondition('say "no"')),
        ('"topic:demo"', TextCondition("topic:demo")),
        ('"OR" "created" "metadata"', And((TextCondition("OR"), TextCondition("created"), TextCondition("metadata")))),
        ("e-mail v1.2 order_id", And((TextCondition("e-mail"), TextCondition("v1.2"), TextCondition("order_id")))),
        ("退款", TextCondition("退款")),
        ('"🙏"', TextCondition("🙏")),
        ("ORDER", TextCondition("ORDER")),
    ],
)
def test_word_or_quoted_phrase_is_parsed_as_a_text_condition(text, tree):
    assert parse_query(text) == tree


PHRASE = "a phrase with a letter, a digit or an emoji"
AFTER = "a space, ')' or the end after the condition"


@pytest.mark.parametrize(
    ("text", "expected", "position", "got"),
    [
        ('""', PHRASE, 1, "'\"'"),
        ('a:1 "?!"', PHRASE, 5, "'\"'"),
        ("_", PHRASE, 1, "'_'"),
        ('"refund', "a closing '\"'", 8, "the end"),
        ('"refund"policy', AFTER, 9, "'policy'"),
        ("refund(policy)", OPERATOR, 7, "'('"),
        ("refund!", OPERATOR, 7, "'!'"),
        ("🙏", "a condition", 1, "'🙏'"),
        ("refund or policy", OPERATOR, 10, "a space"),
        ("refund not policy", OPERATOR, 11, "a space"),
        ("topic : demo", OPERATOR, 6, "a space"),
        ("topic =demo", OPERATOR, 6, "a space"),
    ],
)
def test_malformed_phrase_is_refused_with_its_position(text, expected, position, got):
    with pytest.raises(APIError) as refused:
        parse_query(text)
    assert (refused.value.param, refused.value.code) == ("query", "invalid_query")
    assert refused.value.message == (f"Invalid 'query': expected {expected} at position {position}, but got {got}.")


def test_a_phrase_may_have_512_characters():
    assert parse_query(f'"{"x" * 512}"') == TextCondition("x" * 512)
    with pytest.raises(APIError, match="phrase too long at position 5"):
        parse_query(f'a:1 "{"x" * 513}"')


def test_phrases_count_among_the_16_conditions():
    assert len(parse_query(" ".join(["word"] * 16)).parts) == 16
    with pytest.raises(APIError, match="too many conditions at position 81"):
        parse_query(" ".join(["word"] * 17))


def test_phrase_bounds_a_query_but_its_negation_does_not():
    part = 'note~"x"'
    assert is_bounded(parse_query(f"{part} refund"))
    assert not is_bounded(parse_query(f"{part} -refund"))


def test_phrases_of_a_query_exclude_negated_ones():
    assert collect_phrases(parse_query('topic:demo (refund OR "a b") -policy')) == ["refund", "a b"]
