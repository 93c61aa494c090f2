"""Conditions that no index leads to are looked for so long, and no longer."""

from urllib.parse import urlencode

import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse

from conversations.admin.change_list import ConversationChangeList
from conversations.models import Conversation

LIST_URL = reverse("admin:conversations_conversation_changelist")
TOLD = "This takes too long to find out."
NEGATION = {"q": "-topic:demo"}


@pytest.fixture
def conversations(alice) -> list[Conversation]:
    return [Conversation.create_with_items(owner=alice, metadata={"topic": topic}) for topic in ("a", "b", "c")]


@pytest.fixture
def no_time(monkeypatch):
    monkeypatch.setattr(ConversationChangeList, "max_seconds", 0)


def test_in_time_the_rows_are_there(admin_client, conversations):
    assert len(admin_client.get(LIST_URL, NEGATION).context["cl"].result_list) == 3


def test_the_list_says_so_and_leaves_the_form_open(admin_client, conversations, no_time):
    answer = admin_client.get(LIST_URL, NEGATION)
    assert TOLD in answer.content.decode()
    assert answer.context["cl"].result_list == []
    assert answer.context["cl"].has_open_form


@pytest.mark.parametrize("query", [{}, {"q": "topic:a"}, {"q": "topic:* (topic^a OR topic:b) created>=2020-01-01"}])
def test_what_an_index_leads_to_has_no_limit(admin_client, conversations, no_time, query):
    answer = admin_client.get(LIST_URL, query)
    assert TOLD not in answer.content.decode()
    assert answer.context["cl"].result_list


def test_a_number_that_takes_too_long_is_that_of_the_rows_and_more(admin_client, conversations, monkeypatch):
    monkeypatch.setattr(ConversationChangeList, "max_count_seconds", 0)
    monkeypatch.setattr("conversations.admin.ConversationAdmin.list_per_page", 2)
    answer = admin_client.get(LIST_URL, NEGATION)
    assert "2+ conversations" in answer.content.decode()
    assert len(answer.context["cl"].result_list) == 2


def test_a_transcript_opens_without_its_neighbours(admin_client, conversations, no_time):
    url = reverse("admin:conversations_conversation_change", args=[quote(conversations[1].pk)])
    answer = admin_client.get(url, {"_changelist_filters": urlencode(NEGATION)})
    assert answer.status_code == 200
    assert answer.context["neighbours"].next_url is None


def test_an_export_does_without_the_number(admin_client, conversations, no_time):
    url = reverse("admin:conversations_conversation_export_list")
    assert "How many these are takes too long" in admin_client.get(url, NEGATION).content.decode()
    file = admin_client.post(f"{url}?{urlencode(NEGATION)}", {"file_format": "csv"})
    assert file.getvalue().count(b"\n") == 4


def test_a_bulk_deletion_is_not_offered(admin_client, conversations, no_time):
    url = reverse("admin:conversations_conversation_bulk_deletion")
    answer = admin_client.get(url, NEGATION, follow=True)
    assert TOLD in answer.content.decode()
    assert Conversation.objects.count() == 3
