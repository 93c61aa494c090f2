import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.schema.did_you_mean import MAX_DISTANCE, did_you_mean, edit_distance

short = st.text("abc", max_size=5)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("", "", 0),
        ("role", "role", 0),
        ("role", "rol", 1),
        ("role", "roles", 1),
        ("role", "rule", 1),
        ("role", "lore", 2),
    ],
)
def test_edit_distance_counts_insertions_deletions_and_replacements(a, b, distance):
    assert edit_distance(a, b) == distance


@given(short, short)
def test_edit_distance_is_symmetric(a, b):
    assert edit_distance(a, b) == edit_distance(b, a)


@given(short, short, short)
def test_edit_distance_satisfies_the_triangle_inequality(a, b, c):
    if max(abs(len(x) - len(y)) for x, y in [(a, b), (b, c), (a, c)]) <= MAX_DISTANCE:
        assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


def test_suggestions_are_sorted_by_distance_then_alphabetically():
    assert did_you_mean("file_u", ["file_url", "file_id", "file_", "filename"]) == ["file_", "file_id", "file_url"]


def test_names_at_a_distance_of_three_are_not_suggested():
    assert did_you_mean("abc", ["abcdef", "xyz"]) == []


def test_very_long_names_are_not_compared():
    assert did_you_mean("a" * 10_000_000, ["arguments"]) == []
