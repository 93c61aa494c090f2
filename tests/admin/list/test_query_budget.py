"""Searches that no index can answer stop when the time budget of the page is used up."""

from urllib.parse import urlencode

import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse

from conversations.admin.list.change_list import ConversationChangeList
from conversations.models import Conversation

LIST_URL = reverse("admin:conversations_conversation_changelist")
TOO_SLOW = "This search takes too long."
STOPPED_EARLY = "Still searching would take longer."
NEGATION = {"q": "-topic:demo"}


@pytest.fixture
def conversations(alice) -> list[Conversation]:
    return [Conversation.objects.create_with_items(owner=alice, metadata={"topic": topic}) for topic in ("a", "b", "c")]


@pytest.fixture
def no_time(monkeypatch):
    monkeypatch.setattr(ConversationChangeList, "max_seconds", 0)


def test_list_within_the_time_budget_shows_its_rows(admin_client, conversations):
    assert len(admin_client.get(LIST_URL, NEGATION).context["cl"].result_list) == 3


def test_list_beyond_the_time_budget_shows_an_error_and_the_open_form(admin_client, conversations, no_time):
    answer = admin_client.get(LIST_URL, NEGATION)
    page = answer.content.decode()
    assert STOPPED_EARLY in page
    assert answer.context["cl"].result_list == []
    assert answer.context["cl"].has_open_form
    assert "No conversations" not in page
    assert "0 conversations" not in page


@pytest.mark.parametrize("cursors", [{}, {"last": "1"}, {"before": "conv_" + 48 * "0"}, {"after": "conv_" + 48 * "f"}])
def test_continued_search_keeps_the_cursor(admin_client, conversations, no_time, cursors):
    cl = admin_client.get(LIST_URL, {**NEGATION, **cursors}).context["cl"]
    assert len(cl.form.non_field_errors()) == 1
    answer = admin_client.get(f"{LIST_URL}{cl.patient_url}")
    assert answer.context["cl"].cursors == cursors
    assert len(answer.context["cl"].result_list) == 3
    assert answer.context["cl"].patient_url is None


def test_links_of_a_continued_search_keep_the_longer_time_budget(admin_client, conversations, no_time, monkeypatch):
    monkeypatch.setattr("conversations.admin.ConversationAdmin.list_per_page", 2)
    cl = admin_client.get(LIST_URL, {**NEGATION, "look_on": "1"}).context["cl"]
    [last] = admin_client.get(f"{LIST_URL}{cl.next_url}").context["cl"].result_list
    url = reverse("admin:conversations_conversation_change", args=[quote(last.pk)])
    answer = admin_client.get(url, {"_changelist_filters": urlencode({**NEGATION, "look_on": "1"})})
    assert answer.context["neighbours"].previous_url


def test_new_search_does_not_inherit_the_longer_time_budget(admin_client, conversations):
    answer = admin_client.get(LIST_URL, {**NEGATION, "look_on": "1"})
    assert "look_on" not in dict(answer.context["cl"].form.others)
    assert "look_on" not in answer.context["cl"].form.clear_url


def test_continued_search_beyond_its_time_budget_shows_an_error(admin_client, conversations, monkeypatch):
    monkeypatch.setattr(ConversationChangeList, "max_patient_seconds", 0)
    answer = admin_client.get(LIST_URL, {**NEGATION, "look_on": "1"})
    assert TOO_SLOW in answer.content.decode()
    assert answer.context["cl"].patient_url is None


@pytest.mark.parametrize("query", [{}, {"q": "topic:a"}, {"q": "topic:* (topic^a OR topic:b) created>=2020-01-01"}])
def test_indexed_search_has_no_time_budget(admin_client, conversations, no_time, query):
    answer = admin_client.get(LIST_URL, query)
    assert STOPPED_EARLY not in answer.content.decode()
    assert answer.context["cl"].result_list


@pytest.mark.parametrize("query", [NEGATION, {"q": "@type:message"}])
def test_count_beyond_the_time_budget_is_shown_as_the_page_size_with_a_plus(
    admin_client, conversations, monkeypatch, query
):
    monkeypatch.setattr(ConversationChangeList, "max_count_seconds", 0)
    monkeypatch.setattr("conversations.admin.ConversationAdmin.list_per_page", 2)
    for row in conversations:
        row.add_items([{"role": "user", "content": "hello"}])
    answer = admin_client.get(LIST_URL, query)
    assert "2+ conversations" in answer.content.decode()
    assert len(answer.context["cl"].result_list) == 2


def test_transcript_has_no_next_link_if_finding_it_takes_too_long(admin_client, conversations, no_time):
    url = reverse("admin:conversations_conversation_change", args=[quote(conversations[1].pk)])
    answer = admin_client.get(url, {"_changelist_filters": urlencode(NEGATION)})
    assert answer.status_code == 200
    assert answer.context["neighbours"].next_url is None


def test_export_works_without_a_count_beyond_the_time_budget(admin_client, conversations, no_time):
    url = reverse("admin:conversations_conversation_export_list")
    assert "Too many to count." in admin_client.get(url, NEGATION).content.decode()
    file = admin_client.post(f"{url}?{urlencode(NEGATION)}", {"file_format": "csv"})
    assert file.getvalue().count(b"\n") == 4


def test_bulk_deletion_is_refused_for_a_search_beyond_the_time_budget(admin_client, conversations, no_time):
    url = reverse("admin:conversations_conversation_bulk_deletion")
    answer = admin_client.get(url, NEGATION, follow=True)
    assert TOO_SLOW in answer.content.decode()
    assert Conversation.objects.count() == 3
    continued = admin_client.get(url, {**NEGATION, "look_on": "1"})
    assert continued.context["selection"].count.number == 3
