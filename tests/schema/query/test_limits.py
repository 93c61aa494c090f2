import pytest

from conversations.schema.query.nodes import And, Or
from conversations.schema.query.parser import parse_query
from tests.schema.query.query_trees import A, contains, eq, query_error

KEY_TOO_LONG = "key too long at position {}. Expected a string with maximum length 64, but got a string with length {}"
VALUE_TOO_LONG = (
    "value too long at position {}. Expected a string with maximum length 512, but got a string with length {}"
)


def conditions(count):
    return " ".join(f"k{n}:v" for n in range(count))


def test_query_may_have_2000_characters():
    assert parse_query("a:1".ljust(2000)) == A
    assert query_error("a:1".ljust(2001)) == (
        "Invalid 'query': string too long. "
        "Expected a string with maximum length 2000, but got a string with length 2001 instead."
    )


def test_a_query_may_have_16_conditions():
    assert len(parse_query(conditions(16)).parts) == 16
    position = len(conditions(16)) + 2
    assert (
        query_error(conditions(17))
        == f"Invalid 'query': too many conditions at position {position}. Expected at most 16."
    )


def test_condition_limit_counts_conditions_in_every_group():
    text = f"({conditions(8)}) OR -({conditions(8)}) OR created>0"
    assert query_error(text).startswith(
        f"Invalid 'query': too many conditions at position {text.index('created') + 1}."
    )


@pytest.mark.parametrize("opening", ["(", "-", "( ", "-("])
def test_a_query_may_be_nested_20_deep(opening):
    levels = len(opening.strip())
    deepest = opening * (20 // levels)
    closing = ")" * deepest.count("(")
    parse_query(f"{deepest}a:1{closing}")
    assert query_error(f"{deepest}-a:1{closing}") == (
        f"Invalid 'query': nested too deeply at position {len(deepest) + 1}. Expected at most 20 levels."
    )


def test_nesting_depth_decreases_after_a_group():
    group = "(" * 20 + "a:1" + ")" * 20
    assert parse_query(f"{group} {group} OR {group}") == Or((And((A, A)), A))


@pytest.mark.parametrize("character", ["(", "-", "( ", "-("])
def test_unbounded_nesting_is_refused_at_the_limit(character):
    assert "nested too deeply at position" in query_error((character * 2000)[:2000])


def test_a_key_may_have_64_characters():
    longest = "k" * 64
    assert parse_query(f"{longest}:x") == eq(longest, "x")
    assert parse_query(f'metadata["{longest}"]:x') == eq(longest, "x")
    assert parse_query('metadata["' + '\\"' * 64 + '"]:x') == eq('"' * 64, "x")
    assert query_error(f"a:1 {longest}k:x") == f"Invalid 'query': {KEY_TOO_LONG.format(5, 65)} instead."
    assert query_error(f'metadata["{longest}k"]:x') == f"Invalid 'query': {KEY_TOO_LONG.format(10, 65)} instead."


def test_a_value_may_have_512_characters():
    longest = "v" * 512
    assert parse_query(f"a:{longest}") == eq("a", longest)
    assert parse_query(f'a~"{longest}"') == contains("a", longest)
    assert parse_query('a:"' + "\\\\" * 512 + '"') == eq("a", "\\" * 512)
    assert query_error(f"a:{longest}v") == f"Invalid 'query': {VALUE_TOO_LONG.format(3, 513)} instead."
    assert query_error(f'b:1 a^"{longest}v"') == f"Invalid 'query': {VALUE_TOO_LONG.format(7, 513)} instead."
