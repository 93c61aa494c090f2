import re

from hypothesis import given

from conversations.errors import APIError
from conversations.schema.query.parser import parse_query
from tests.schema.query.random_trees import format_tree, texts, trees


def query_error(text):
    try:
        parse_query(text)
    except APIError as error:
        return error


@given(texts)
def test_arbitrary_text_is_parsed_or_refused_at_a_position_within_it(text):
    if error := query_error(text):
        assert (error.status, error.param, error.code) == (400, "query", "invalid_query")
        assert 1 <= int(re.search(r" at position (\d+)[.,]", error.message)[1]) <= len(text) + 1


@given(trees)
def test_formatted_tree_is_parsed_back_to_the_same_tree(tree):
    assert parse_query(format_tree(tree)) == tree
