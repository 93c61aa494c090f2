import pytest
from django.db import connection

from conversations.models import Conversation, MetadataPair
from conversations.schema.query.nodes import And, MetadataCondition
from conversations.search.metadata_pair import Suggestions


@pytest.fixture(autouse=True)
def _conversations(alice):
    for color, size in [("blue", "small"), ("black", "large"), ("red", "large"), ("black", "larger")]:
        Conversation.objects.create_with_items(owner=alice, metadata={"color": color, "size": size, "b": "blank"})


def test_values_are_suggested_for_each_prefix_separately(django_assert_num_queries):
    prefixes = [("color", "b"), ("size", "l"), ("color", "bl"), ("size", "x"), ("none", "")]
    with django_assert_num_queries(1 if connection.vendor != "mysql" else 11):
        suggested = MetadataPair.objects.suggested_values(prefixes, limit=8)
    assert suggested == [
        Suggestions(["black", "blue"], has_more=False),
        Suggestions(["large", "larger"], has_more=False),
        Suggestions(["black", "blue"], has_more=False),
        Suggestions([], has_more=False),
        Suggestions([], has_more=False),
    ]
    assert MetadataPair.objects.suggested_values([("color", ""), ("size", "s")], limit=2) == [
        Suggestions(["black", "blue"], has_more=True),
        Suggestions(["small"], has_more=False),
    ]


def test_conditions_on_two_prefixes_combine():
    query = And((MetadataCondition("color", "prefix", ("bl",)), MetadataCondition("size", "prefix", ("larg",))))
    found = Conversation.objects.page(limit=20, order="desc", matching=query).rows
    assert [row.metadata["size"] for row in found] == ["larger", "large"]
