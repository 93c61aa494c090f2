import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from conversations.admin.overview.view import OverviewView
from conversations.models import AccessRecord, Conversation, SavedView
from conversations.schema.items import validate_items
from tests.overview.plain_counts import create_conversations

URL = reverse("admin:conversations_overview")
LIST_URL = reverse("admin:conversations_conversation_changelist")
CALLS = validate_items(
    [
        {"type": "function_call", "call_id": "call_1", "name": 'find "it"', "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "error: planted-words"},
        {"type": "function_call", "call_id": "call_2", "name": 'find "it"', "arguments": "{}"},
    ]
)
ACME = {"metadata_key": "tenant", "metadata_operator": "eq", "metadata_value": "acme & co"}


@pytest.fixture(autouse=True)
def unlimited_time(monkeypatch) -> None:
    monkeypatch.setattr(OverviewView, "max_seconds", 600)


def page(client, **parameters: str):
    response = client.get(URL, parameters)
    assert response.status_code == 200
    return response


def totals(response) -> list[str]:
    return [chart.summary.split(" ")[0] for chart in response.context["by_day"]]


@pytest.fixture
def tenants(alice, bob):
    create_conversations(alice, {0: 2, 3: 3, 9: 4}, metadata={"tenant": "acme & co"}, items=CALLS)
    create_conversations(bob, {0: 1, 2: 1}, metadata={"tenant": "other"}, items=CALLS)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (ACME, ["5", "15", "5"]),
        ({"owner": "bob"}, ["2", "6", "2"]),
        ({**ACME, "owner": "bob"}, ["No", "No", "No"]),
        ({"q": "tenant:other"}, ["2", "6", "2"]),
        ({}, ["7", "21", "7"]),
    ],
)
def test_figures_are_those_of_the_filter(admin_client, tenants, filters, expected):
    assert totals(page(admin_client, days="7", **filters)) == expected


def test_days_and_tools_link_to_lists_with_the_filter_and_the_same_count(admin_client, tenants):
    for filters, calling in ((ACME, 9), ({"q": "tenant:other OR tenant:none"}, 2), ({}, 11)):
        response = page(admin_client, days="7", **filters)
        html = response.content.decode()
        links = [unescape(url) for url in re.findall(rf'href="({LIST_URL}\?[^"]*)"', html)]
        days = [url for url in links if "created" in url and "tool" not in url]
        counts = [int(bar.count) for bar in response.context["by_day"][0].bars if bar.url]
        assert counts
        assert [admin_client.get(url).context["cl"].result_count for url in dict.fromkeys(days)] == counts
        [tool] = {url for url in links if "tool" in url}
        assert admin_client.get(tool).context["cl"].result_count == calling
        assert "planted-words" not in html


def test_overview_of_a_filter_compares_with_the_previous_period(admin_client, tenants):
    html = page(admin_client, days="7", **ACME).content.decode()
    assert "5 total" in html
    assert "4 in the 7 days before · \u221225 % without today" in html
    assert "50.0" in html  # failure rate of the tool


def test_dates_choose_the_period(admin_client, tenants):
    today = timezone.now().date()
    dates = {"created_from": str(today - timedelta(days=9)), "created_to": str(today - timedelta(days=3))}
    response = page(admin_client, **ACME, **dates)
    assert totals(response) == ["7", "21", "7"]
    assert len(response.context["by_day"][0].bars) == 7
    assert "without today" not in response.content.decode()
    assert totals(page(admin_client, **dates))[0] == "7"
    response = page(admin_client, created_from="1980-01-01", created_to=str(today))
    assert len(response.context["by_day"][0].bars) == 366
    response = page(admin_client, created_from=str(today), created_to=str(today - timedelta(days=1)))
    assert "is after" in response.content.decode()
    assert "by_day" not in response.context
    for odd in ("0001-01-01", "9999-12-31", "2026-02-30", "x"):
        assert admin_client.get(URL, {"created_from": odd, "created_to": odd, **ACME}).status_code == 200


def test_filter_of_a_saved_view_is_used_without_its_columns(admin_client, staff_client, tenants, alice):
    view = SavedView.objects.create(
        owner=alice, name="Acme", is_shared=True, query_string="columns=id&owner=alice&owner_gone=1&q=tenant%3A*"
    )
    private = SavedView.objects.create(owner=alice, name="Secret", query_string="owner=alice")
    assert f'href="?view={view.pk}&amp;days=7"' in page(admin_client, days="7").content.decode()
    response = admin_client.get(URL, {"view": view.pk, "days": "7"}, follow=True)
    [(url, _status)] = response.redirect_chain
    assert url == f"{URL}?q=tenant%3A%2A&owner=alice&days=7"
    assert "refers to something that no longer exists" in response.content.decode()
    client = staff_client("view_conversation")
    for view_id in (private.pk, "x", 10**18, "²"):
        response = client.get(URL, {"view": view_id}, follow=True)
        assert "owner: alice" not in response.content.decode()


@pytest.mark.parametrize(
    ("filters", "title", "count", "criteria"),
    [
        (ACME, "Overview: tenant is “acme &amp; co”", 9, {"metadata": ("tenant", "acme & co")}),
        ({"owner": "bob"}, "Overview: owner: bob", 2, {"owner": "bob"}),
        ({"end_user": "erika"}, "Overview: end user: erika", 0, {"end_user": "erika"}),
    ],
)
def test_page_of_a_person_or_value_shows_its_extent_and_leads_to_export_and_erasure(
    admin_client, tenants, filters, title, count, criteria
):
    response = page(admin_client, days="7", **filters)
    html = response.content.decode()
    assert re.search(rf"<h1[^>]*>{title}</h1>", html)
    facts = dict(response.context["facts"])
    conversations = Conversation.objects.filter(owner__username="bob" if "owner" in filters else "alice")
    assert facts["Conversations"] == str(count)
    if count:
        first = min(conversations.values_list("created_at", flat=True))
        last = max(conversations.values_list("last_item_at", flat=True))
        assert f'datetime="{first.isoformat()}"' in facts["First created"]
        assert f'datetime="{last.isoformat()}"' in facts["Last active"]
    urls = {text: unescape(url) for url, text in re.findall(r'<li><a href="([^"]*)">([^<]*)</a></li>', html)}
    assert admin_client.get(urls["Show in the list"]).context["cl"].result_count == count
    assert admin_client.get(urls["Export results"]).context["selection"].count.number == count
    named = admin_client.get(urls["Erase person"]).context["criteria"]
    assert {name: str(value) for name, value in named.items() if value} == {k: str(v) for k, v in criteria.items()}


def test_page_of_a_filter_links_only_to_what_the_user_may_do(staff_client, tenants):
    client = staff_client("view_conversation")
    html = page(client, **ACME).content.decode()
    assert "Show in the list" in html
    assert "Export results" not in html
    assert "Erase person" not in html
    staff = User.objects.get(username="staff")
    staff.user_permissions.add(Permission.objects.get(codename="erase_person"))
    assert "Erase person" in page(client, **ACME).content.decode()


def test_other_filters_and_no_filter_do_not_name_a_person(admin_client, tenants):
    assert "Erase person" not in page(admin_client, q="tenant^acme").content.decode()
    response = page(admin_client)
    assert response.context["title"] == "Overview"
    assert "facts" not in response.context


def test_list_links_to_the_overview_of_its_filter(admin_client, tenants):
    html = admin_client.get(LIST_URL, {"q": "tenant:other"}).content.decode()
    [url] = re.findall(rf'href="({URL}[^"]*)">Overview', html)
    assert totals(admin_client.get(unescape(url))) == ["2", "6", "2"]


@pytest.mark.parametrize("bad", [{"metadata_key": "a" * 65, **dict.fromkeys(ACME, "")}, {"q": "a OR"}, {"owner": "no"}])
def test_invalid_filter_shows_its_error_and_no_figures(admin_client, tenants, bad):
    parameters = {**ACME, "metadata_key": "a" * 65} if "metadata_key" in bad else bad
    response = page(admin_client, **parameters)
    assert 'class="errornote"' in response.content.decode()
    assert "by_day" not in response.context


@pytest.mark.django_db(transaction=connection.vendor == "mysql")  # InnoDB finds words only in committed rows.
def test_search_that_is_not_strict_links_to_the_one_with_quotes(admin_client, tenants):
    html = unescape(page(admin_client, q="tenant:other erika@example.com", days="7").content.decode())
    assert 'Put text in quotes to search for it: tenant:other "erika@example.com"' in html
    [link] = re.findall('<a href="([^"]*)">Search for that', html)
    assert parse_qs(link.lstrip("?")) == {"q": ['tenant:other "erika@example.com"'], "days": ["7"]}
    assert "Search for that" not in page(admin_client, q="refund OR").content.decode()


# The full-text index of MariaDB and MySQL finds committed rows only.
@pytest.mark.django_db(transaction=connection.vendor == "mysql")
def test_search_of_messages_needs_the_permission_to_read_and_is_recorded(admin_client, staff_client, alice, settings):
    settings.CONVERSATIONS_FULL_TEXT = True
    Conversation.objects.create_with_items(
        owner=alice, items=validate_items([{"role": "user", "content": "planted words"}])
    )
    response = page(staff_client("view_conversation"), q="planted")
    assert totals(response)[0] == "No"
    assert "You may not read messages" in unescape(response.content.decode())
    assert not AccessRecord.objects.exists()
    assert totals(page(admin_client, q="planted"))[0] == "1"
    record = AccessRecord.objects.get()
    assert (record.action, record.query, record.conversation_count) == ("search", "planted", 1)


def test_slow_filter_offers_to_keep_counting(admin_client, tenants, monkeypatch):
    monkeypatch.setattr(OverviewView, "max_seconds", 0)
    monkeypatch.setattr(OverviewView, "max_patient_seconds", 600)
    html = admin_client.get(URL, ACME).content.decode()
    assert "Counting these conversations takes too long." in html
    assert "First created" not in html
    [url] = re.findall(r'<a href="([^"]*)">Keep counting \(up to 600 s\)', html)
    response = admin_client.get(URL + unescape(url))
    assert totals(response)[0] == "9"
    assert "Keep counting" not in response.content.decode()
