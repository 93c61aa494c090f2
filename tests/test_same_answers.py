"""The same conditions give the same conversations, however they are asked and whatever the database."""

import pytest
from django.urls import reverse
from hypothesis import HealthCheck, given, settings

from conversations.models import Conversation
from tests import random_queries
from tests.api.conftest import Caller
from tests.random_queries import as_parameters, as_text, holds

pytestmark = pytest.mark.django_db
repeatable = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def conversations(alice, bob) -> list[Conversation]:
    """Newest first; bob's are in the way."""
    rows = []

    @settings(max_examples=60, derandomize=True, deadline=None, database=None)
    @given(random_queries.metadata)
    def create(metadata):
        rows.insert(0, Conversation.create_with_items(owner=alice, metadata=metadata))
        Conversation.create_with_items(owner=bob, metadata=metadata)

    create()
    return rows


@pytest.fixture
def as_alice(alice_secret) -> Caller:
    return Caller(alice_secret)


def listed(as_alice: Caller, **query) -> list[str]:
    answer = as_alice.get("/conversations", limit=100, **query)
    assert answer.status_code == 200, answer.content
    return [conversation["id"] for conversation in answer.json()["data"]]


@repeatable
@given(random_queries.query)
def test_trees_by_the_typed_language_of_the_api_and_of_the_admin(conversations, as_alice, admin_client, query):
    expected = [each.pk for each in conversations if holds(query, each.metadata)]
    text = as_text(query)
    assert listed(as_alice, query=text) == expected
    page = admin_client.get(reverse("admin:conversations_conversation_changelist"), {"q": text, "owner": "alice"})
    assert [row.pk for row in page.context["cl"].result_list] == expected


@repeatable
@given(random_queries.condition)
def test_conditions_by_parameters_and_by_the_admins_form(conversations, as_alice, admin_client, condition):
    expected = [each.pk for each in conversations if holds(condition, each.metadata)]
    if "[" not in condition.key:
        assert listed(as_alice, **as_parameters(condition)) == expected
    if condition.operator not in ("in", "nin"):  # the form splits at commas and strips
        form = {
            "metadata_key": condition.key,
            "metadata_operator": condition.operator,
            "metadata_value": "".join(condition.values),
            "owner": "alice",
        }
        page = admin_client.get(reverse("admin:conversations_conversation_changelist"), form)
        assert [row.pk for row in page.context["cl"].result_list] == expected
