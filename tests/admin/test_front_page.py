import re
from html import unescape

import pytest
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from conversations.admin.list.titles import shorten_id
from conversations.admin.overview import failed_conversations
from conversations.models import AccessRecord, Conversation
from conversations.overview.report import MAX_NEW_CONVERSATIONS
from conversations.schema.items import validate_items
from project.security import content_security_policy
from tests.admin_pages import CONTENT_SECURITY_POLICY
from tests.overview.plain_counts import create_conversations
from tests.queries import CapturedQueries

URL = reverse("admin:index")
HEADER = "Content-Security-Policy"
ITEMS = validate_items([{"role": "user", "content": "planted-words"}])
FAILURE = validate_items([{"type": "function_call_output", "call_id": "call_1", "output": "error: planted-words"}])


def glance(html: str) -> dict[str, str]:
    figures = re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)(?:<span[^>]*>([^<]*)</span>)?</dd>", html)
    return {label: " ".join(filter(None, [figure.strip(), change])) for label, figure, change in figures}


def links(html: str) -> list[str]:
    """Return the URLs of the content, without the head and the foot of the page."""
    content = html[html.index('id="content"') : html.index('id="footer"')]
    return [unescape(link) for link in re.findall(r'href="([^"]*)"', content)]


def test_front_page_shows_totals_and_storage(admin_client, alice, bob):
    for owner in (alice, alice, bob):
        Conversation.objects.create_with_items(owner=owner, items=ITEMS * 2)
    assert glance(admin_client.get(URL).content.decode()) == {
        "Conversations today": "3",
        "Items today": "6",
        "Conversations, last 7 days": "3",
        "Items, last 7 days": "6",
        "Owners": "2",
        "Storage": "unknown until the first refresh",
    }
    call_command("refresh_overview", verbosity=0)
    html = admin_client.get(URL).content.decode()
    assert re.fullmatch(r"[\d.]+\W[KM]B", glance(html)["Storage"])
    assert glance(html)["Conversations today"] == "3"
    assert html.count('class="conversations-slot"') == 7
    assert "planted-words" not in html
    assert not AccessRecord.objects.exists()


def test_front_page_takes_a_constant_number_of_queries(admin_client, alice):
    def queries() -> int:
        with CapturedQueries(connection) as captured:
            admin_client.get(URL)
        return len(captured)

    call_command("refresh_overview", verbosity=0)
    Conversation.objects.create_with_items(owner=alice, items=ITEMS)
    few = queries()
    for _ in range(30):
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=ITEMS)
    assert queries() == few <= 21  # five of which limit the time of a sixth on PostgreSQL


@pytest.mark.parametrize(
    ("rights", "names"),
    [
        ((), []),
        (("view_apikey",), ["apikey/"]),
        (("view_accessrecord",), ["accessrecord/"]),
        (("view_conversation",), ["conversation/", "conversation/overview/", "savedview/"]),
        (("change_conversation",), ["conversation/", "conversation/overview/", "savedview/"]),
    ],
)
def test_front_page_links_only_to_permitted_pages(staff_client, rights, names, alice):
    failed = Conversation.objects.create_with_items(owner=alice, items=FAILURE)
    client = staff_client(*rights)
    html = client.get(URL).content.decode()
    paths = {link.split("?")[0] for link in links(html) if "/add/" not in link}
    may_view = "conversation/" in names
    own = [*names, f"conversation/{failed.pk.replace('_', '_5F')}/change/"] if may_view else names
    own = [f"/admin/conversations/{name}" for name in own]
    assert paths - {"/admin/conversations/"} == set(own)
    assert bool(glance(html)) == may_view
    for path in paths:
        assert client.get(path, follow=True).status_code == 200


def test_front_page_lists_each_model_once(admin_client):
    html = admin_client.get(URL).content.decode()
    models = re.findall(r'<tr class="model-(\w+)', html)
    assert len(models) == len(set(models)) >= 7
    link = re.compile(r'<a href="/admin/conversations/(\w+)/"(?: class="(?:change|view)link")?[^>]*>([^<]*)')
    names = [path for path, text in link.findall(html) if text.strip() not in ("Change", "View", "All conversations")]
    assert len(names) == len(set(names)) >= 5


def test_front_page_begins_with_the_search_box(admin_client, alice):
    found = Conversation.objects.create_with_items(owner=alice, metadata={"order_id": "A-77812"})
    Conversation.objects.create_with_items(owner=alice)
    html = admin_client.get(URL).content.decode()
    [action] = re.findall(r'<form method="get" action="([^"]*)" role="search"', html)
    assert html.index('role="search"') < html.index("At a glance") < html.index("Recent failures")
    assert html.index("Recent failures") < html.index("app-auth module")
    assert [row.pk for row in admin_client.get(action, {"q": "A-77812"}).context["cl"].result_list] == [found.pk]


def failures(html: str) -> str:
    return html[html.index("Recent failures") : html.index("All conversations with failures")]


def failed(owner, name: str) -> Conversation:
    return Conversation.objects.create_with_items(owner=owner, metadata={"n": name}, items=[*ITEMS, *FAILURE * 2])


def test_front_page_shows_conversations_with_failures(admin_client, staff_client, alice):
    Conversation.objects.create_with_items(owner=alice, items=ITEMS)
    assert "No conversation has a failed item." in admin_client.get(URL).content.decode()
    rows = [failed(alice, str(n)) for n in range(7)]
    for client in (admin_client, staff_client("view_conversation")):
        html = client.get(URL).content.decode()
        assert re.findall(r"<b>n</b> = (\d)", failures(html)) == ["6", "5", "4", "3", "2"]
        assert re.findall(r"(\d+ failed items)", failures(html)) == ["2 failed items"] * 5
    [url] = [link for link in links(html) if "failed" in link]
    assert admin_client.get(url).context["cl"].result_count == len(rows)


def test_old_conversation_that_fails_now_is_the_first_of_the_recent_failures(admin_client, alice, monkeypatch):
    old = Conversation.objects.create_with_items(owner=alice, metadata={"n": "old"}, items=ITEMS)
    for n in range(6):
        failed(alice, str(n))
    old.add_items(FAILURE)
    assert re.findall(r"<b>n</b> = (\w+)", failures(admin_client.get(URL).content.decode()))[:2] == ["old", "5"]
    monkeypatch.setattr(failed_conversations, "MAX_SECONDS", 0)  # The newest ones are always found in time.
    assert re.findall(r"<b>n</b> = (\w+)", failures(admin_client.get(URL).content.decode()))[:2] == ["5", "4"]


def test_titles_of_recent_failures_are_first_messages_for_readers(admin_client, admin_user, staff_client, alice):
    conversation = failed(alice, "1")
    html = failures(admin_client.get(URL).content.decode())
    assert re.findall("<a [^>]*>([^<]*)</a>", html)[0] == "planted-words"
    [record] = AccessRecord.objects.all()
    assert (record.username, record.action, record.conversation_count) == (admin_user.username, "read", 1)
    assert record.query == "@status:failed"
    html = staff_client("view_conversation").get(URL).content.decode()
    assert shorten_id(conversation.pk) in failures(html)
    assert "planted-words" not in html
    assert AccessRecord.objects.count() == 1


def test_figures_include_a_large_conversation_of_this_moment(admin_client, alice):
    call_command("refresh_overview", verbosity=0)
    Conversation.objects.create_with_items(owner=alice, items=ITEMS * 5_000)
    assert glance(admin_client.get(URL).content.decode())["Items today"] == "5,000"


def test_incomplete_figures_are_marked(admin_client, alice):
    now = timezone.now()
    Conversation.objects.bulk_create(
        [Conversation(owner=alice, created_at=now) for _ in range(MAX_NEW_CONVERSATIONS + 9)], batch_size=1_000
    )
    assert glance(admin_client.get(URL).content.decode())["Conversations today"] == "2,001+"


def test_figures_of_the_week_have_the_difference_to_the_week_before(admin_client, alice):
    create_conversations(alice, {0: 5, 1: 3, 6: 3, 7: 9, 8: 2, 13: 2})  # today and its counterpart do not count
    html = admin_client.get(URL).content.decode()
    assert glance(html)["Conversations, last 7 days"] == "11 +50 %"
    assert "13 in the 7 days before · +50 % without today" in html
    assert html.count("(so far)") >= 2


def test_app_list_follows_the_summary_on_the_front_page(admin_client):
    html = admin_client.get(URL).content.decode()
    assert html.index("At a glance") < html.index("app-auth module")
    assert "Conversations" in re.findall("<title>(.*?)</title>", html, re.DOTALL)[0]


def test_app_index_page_has_no_summary(admin_client):
    assert "At a glance" not in admin_client.get("/admin/conversations/").content.decode()
    assert "At a glance" not in admin_client.get("/admin/auth/").content.decode()


@pytest.mark.parametrize("path", ["", "auth/user/", "auth/user/add/", "password_change/", "jsi18n/", "nowhere/"])
def test_every_admin_page_has_the_content_security_policy(admin_client, path):
    assert admin_client.get(f"/admin/{path}").headers[HEADER] == CONTENT_SECURITY_POLICY


def test_login_page_has_the_content_security_policy_but_the_api_has_none(client, db):
    assert client.get("/admin/login/").headers[HEADER] == CONTENT_SECURITY_POLICY
    assert HEADER not in client.get("/v1/conversations").headers


def test_middleware_keeps_an_existing_content_security_policy():
    own = content_security_policy(lambda request: HttpResponse(headers={HEADER: "default-src 'self'"}))
    assert own(RequestFactory().get(URL)).headers[HEADER] == "default-src 'self'"
