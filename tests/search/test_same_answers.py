"""The same conditions match the same conversations in the API and the admin, on every database."""

import csv
from io import StringIO

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.http import urlencode
from hypothesis import given

from conversations.admin import ConversationAdmin
from conversations.models import Conversation
from conversations.schema.query.nodes import And, MetadataCondition
from conversations.schema.query.operators import Arity
from tests.api.conftest import APIClient
from tests.search import random_queries
from tests.search.random_queries import as_parameters, as_text, matches

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

NUMBER = 60


@pytest.fixture
def conversations(alice, bob, monkeypatch) -> list[Conversation]:
    """Alice's conversations, newest first; the list shows them all on one page. Bob has the same ones."""
    monkeypatch.setattr(ConversationAdmin, "list_per_page", NUMBER)
    return random_queries.conversations_of(alice, bob, count=NUMBER)[::-1]


@pytest.fixture
def as_alice(alice_secret) -> APIClient:
    return APIClient(alice_secret)


def api_ids(as_alice: APIClient, **query) -> list[str]:
    answer = as_alice.get("/conversations", limit=100, **query)
    assert answer.status_code == 200, answer.content
    return [conversation["id"] for conversation in answer.json()["data"]]


def admin_ids(admin_client: Client, *rows: MetadataCondition) -> list[str]:
    form = {
        "metadata_key": [row.key for row in rows],
        "metadata_operator": [row.operator for row in rows],
        "metadata_value": [as_form_value(row) for row in rows],
        "owner": "alice",
    }
    page = admin_client.get(reverse("admin:conversations_conversation_changelist"), form)
    return [row.pk for row in page.context["cl"].result_list]


def as_form_value(condition: MetadataCondition) -> str:
    if condition.definition.arity is not Arity.MANY_VALUES:
        return "".join(condition.values)
    return ", ".join('"{}"'.format(value.replace('"', '""')) for value in condition.values)


@random_queries.many
@given(random_queries.expressible_query)
def test_query_language_gives_the_same_results_in_api_and_admin(conversations, as_alice, admin_client, query):
    expected = [each.pk for each in conversations if matches(query, each.metadata)]
    text = as_text(query)
    assert api_ids(as_alice, query=text) == expected
    page = admin_client.get(reverse("admin:conversations_conversation_changelist"), {"q": text, "owner": "alice"})
    assert [row.pk for row in page.context["cl"].result_list] == expected


@random_queries.many
@given(random_queries.condition)
def test_query_parameters_and_admin_form_give_the_same_results(conversations, as_alice, admin_client, condition):
    expected = [each.pk for each in conversations if matches(condition, each.metadata)]
    if "[" not in condition.key:
        assert api_ids(as_alice, **as_parameters(condition)) == expected
    assert admin_ids(admin_client, condition) == expected


@random_queries.many
@given(random_queries.condition, random_queries.condition)
def test_two_conditions_give_the_same_results_as_parameters_and_as_form_rows(
    conversations, as_alice, admin_client, first, second
):
    both = And((first, second))
    expected = [each.pk for each in conversations if matches(both, each.metadata)]
    parameters = [as_parameters(condition) for condition in (first, second)]
    if "[" not in first.key + second.key and not parameters[0].keys() & parameters[1].keys():
        assert api_ids(as_alice, **parameters[0], **parameters[1]) == expected
    assert admin_ids(admin_client, first, second) == expected


@random_queries.many
@given(random_queries.expressible_query)
def test_export_contains_and_counts_the_conversations_of_the_list(conversations, as_alice, admin_client, query):
    address = urlencode({"q": as_text(query), "owner": "alice"})
    list_url, export_url = (
        reverse(f"admin:conversations_conversation_{page}") for page in ("changelist", "export_list")
    )
    exported = admin_client.post(f"{export_url}?{address}", {"file_format": "csv"}).getvalue().decode("utf-8-sig")
    ids = [row["id"] for row in csv.DictReader(StringIO(exported, newline=""))]
    change_list = admin_client.get(f"{list_url}?{address}").context["cl"]
    assert ids[::-1] == [row.pk for row in change_list.result_list] == api_ids(as_alice, query=as_text(query))
    number = admin_client.get(f"{export_url}?{address}").context["selection"].count.number
    assert len(ids) == change_list.result_count == number
