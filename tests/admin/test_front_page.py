import re
from html import unescape

import pytest
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse

from conversations.models import AccessRecord, Conversation
from conversations.schema.items import validate_items
from project.security import content_security_policy
from tests.admin_pages import CONTENT_SECURITY_POLICY
from tests.queries import CapturedQueries

URL = reverse("admin:index")
HEADER = "Content-Security-Policy"
ITEMS = validate_items([{"role": "user", "content": "planted-words"}])


def glance(html: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", html))


def navigation(html: str) -> list[str]:
    [links] = re.findall(r'<nav class="conversations-choices"[^>]*>(.*?)</nav>', html, re.DOTALL)
    return [unescape(link) for link in re.findall(r'<a href="([^"]*)"', links)]


def test_front_page_shows_totals_and_storage(admin_client, alice, bob):
    for owner in (alice, alice, bob):
        Conversation.create_with_items(owner=owner, items=ITEMS * 2)
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
    Conversation.create_with_items(owner=alice, items=ITEMS)
    few = queries()
    for _ in range(30):
        Conversation.create_with_items(owner=alice, metadata={"topic": "demo"}, items=ITEMS)
    assert queries() == few <= 12


def test_front_page_links_to_the_pages_of_the_app(admin_client):
    base = "/admin/conversations"
    assert set(navigation(admin_client.get(URL).content.decode())) >= {
        f"{base}/conversation/overview/",
        f"{base}/conversation/",
        f"{base}/apikey/",
        f"{base}/accessrecord/",
    }


@pytest.mark.parametrize(
    ("rights", "paths"),
    [
        ((), []),
        (("view_apikey",), ["apikey/"]),
        (("view_accessrecord",), ["accessrecord/"]),
        (("view_conversation",), ["conversation/overview/", "conversation/"]),
        (("change_conversation",), ["conversation/overview/", "conversation/"]),
    ],
)
def test_front_page_links_only_to_permitted_pages(staff_client, rights, paths, alice):
    Conversation.create_with_items(owner=alice)
    client = staff_client(*rights)
    html = client.get(URL).content.decode()
    links = [link for link in navigation(html) if "savedview" not in link]
    assert links == [f"/admin/conversations/{path}" for path in paths]
    assert bool(glance(html)) == ("conversation/" in paths)
    for link in links:
        assert client.get(link).status_code == 200


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
