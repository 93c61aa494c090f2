import pytest

from conversations.schema.query.nodes import MetadataCondition, is_bounded, is_index_only
from conversations.schema.query.operators import METADATA_OPERATORS

# For each operator: values of a condition, a value of the key that meets it, and values that do not.
EXAMPLES = {
    "eq": (("demo",), "demo", ["Demo", "demo ", ""]),
    "ne": (("demo",), "Demo", ["demo"]),
    "in": (("a", "b"), "b", ["c", ""]),
    "nin": (("a", "b"), "c", ["a", "b"]),
    "contains": (("em",), "demo", ["dEmo", "e m"]),
    "prefix": (("de",), "demo", ["Demo", "ademo"]),
    "suffix": (("o😀",), "demo😀", ["demO😀", "demo", "demo😀 ", "😀", "demo\U0001f601"]),
    "exists": ((), "", []),
}


def test_every_operator_has_an_example():
    assert EXAMPLES.keys() == METADATA_OPERATORS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_condition_is_met_by_the_right_values(name):
    values, right, wrong = EXAMPLES[name]
    condition = MetadataCondition("topic", name, values)
    assert condition.is_met_by(right)
    assert not any(map(condition.is_met_by, wrong))


@pytest.mark.parametrize("name", METADATA_OPERATORS)
def test_operator_that_is_answered_by_the_index_is_bounded(name):
    condition = MetadataCondition("topic", name, EXAMPLES[name][0])
    assert is_bounded(condition) >= is_index_only(condition)


def test_signs_of_operators_are_distinct():
    signs = [operator.sign for operator in METADATA_OPERATORS.values() if operator.sign]
    assert len(signs) == len(set(signs))
