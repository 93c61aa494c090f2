"""Every operator of the table has its SQL predicate, its label in the admin and its documentation."""

import re
from pathlib import Path

import pytest

import conversations
from conversations.admin.list.conditions import OPERATOR_LABELS
from conversations.models import Conversation, MetadataPair
from conversations.schema.query.nodes import MetadataCondition
from conversations.schema.query.operators import METADATA_OPERATORS, Arity
from conversations.search.predicates import VALUE_PREDICATES
from tests.schema.query.test_operators import EXAMPLES

PACKAGE = Path(conversations.__file__).parent
DOCUMENTATION = [PACKAGE.parent / "README.md", *PACKAGE.glob("docs/*.md")]
CHANGELOG = PACKAGE.parent / "CHANGELOG.md"
PARAMETER_FORMS = {Arity.NO_VALUE: "{}=true", Arity.ONE_VALUE: "{}", Arity.MANY_VALUES: "{}[]"}


def test_every_operator_has_an_sql_predicate():
    assert VALUE_PREDICATES.keys() == METADATA_OPERATORS.keys()


def test_every_operator_has_a_label_in_the_admin():
    assert OPERATOR_LABELS.keys() == METADATA_OPERATORS.keys()


def test_every_operator_is_documented():
    rows = re.findall(r"^\| `metadata\[key\]\[operator\]=…` \|(.*)\|$", read_documentation(), re.M)
    parameters = [PARAMETER_FORMS[operator.arity].format(name) for name, operator in METADATA_OPERATORS.items()]
    for row in rows:
        assert re.findall(r"`([^`]+)`", row)[: len(parameters)] == parameters
    assert rows
    assert {name for name in METADATA_OPERATORS if f"`{name}`" not in CHANGELOG.read_text()} == set()


@pytest.mark.parametrize("name", [name for name, each in METADATA_OPERATORS.items() if not each.is_bounded])
def test_limit_of_unbounded_operators_is_documented(name):
    [sentence] = re.findall(r"[^.]*\bmust\s+be\s+combined\b[^.]*", read_documentation())
    assert f"`{name}`" in sentence


@pytest.mark.parametrize("sign", [operator.sign for operator in METADATA_OPERATORS.values() if operator.sign])
def test_every_sign_of_the_query_language_is_documented(sign):
    assert re.search(rf"`\w+{re.escape(sign)}\w*`", read_documentation())


@pytest.mark.parametrize("name", METADATA_OPERATORS)
def test_sql_predicate_agrees_with_the_table(alice, name):
    values, right, wrong = EXAMPLES[name]
    match = Conversation.objects.create_with_items(owner=alice, metadata={"topic": right})
    for value in wrong:
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": value})
    condition = MetadataCondition("topic", name, values)
    assert Conversation.objects.page(limit=9, order="asc", matching=condition).rows == [match]
    assert Conversation.objects.matching(condition).get() == match
    assert MetadataPair.objects.count() == 1 + len(wrong)


def read_documentation() -> str:
    return "\n".join(path.read_text() for path in DOCUMENTATION)
