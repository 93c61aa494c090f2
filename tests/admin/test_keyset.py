"""Lists with keyset pagination."""

import re
from html import unescape

import pytest
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.urls import reverse

from conversations.admin.keyset import KeysetChangeList
from conversations.models import AccessRecord, APIKey, DeletedConversation
from tests.admin_pages import add_other_rows

MODELS = [AccessRecord, APIKey, DeletedConversation]


@pytest.fixture
def rows(admin_user, monkeypatch):
    monkeypatch.setattr(ModelAdmin, "list_per_page", 3)
    add_other_rows(admin_user, User.objects.create_user("owner"), count=8)


def url_of(model) -> str:
    return reverse(f"admin:conversations_{model._meta.model_name}_changelist")


def open_page(client, url: str) -> tuple[list[int], dict[str, str]]:
    """Return the keys of the rows of a page, and its links to other pages by their text."""
    answer = client.get(url)
    pages = answer.content.decode().partition("conversations-pages")[2].partition("</nav>")[0]
    links = {name: unescape(href) for href, name in re.findall(r'<a href="(\?[^"]*)"[^>]*>(\w+)</a>', pages)}
    return [row.pk for row in answer.context["cl"].result_list], links


@pytest.mark.parametrize("model", MODELS)
def test_page_links_reach_all_rows_in_both_directions(admin_client, rows, model):
    keys = list(model.objects.order_by("-pk").values_list("pk", flat=True))
    url = url_of(model)
    first, links = open_page(admin_client, url)
    assert (first, list(links)) == (keys[:3], ["Next", "Last"])
    second, links = open_page(admin_client, url + links["Next"])
    assert (second, list(links)) == (keys[3:6], ["First", "Previous", "Next", "Last"])
    third, links = open_page(admin_client, url + links["Next"])
    assert (third, list(links)) == (keys[6:], ["First", "Previous"])
    assert open_page(admin_client, url + links["Previous"])[0] == second
    assert open_page(admin_client, url + links["First"]) == open_page(admin_client, url)
    last, links = open_page(admin_client, f"{url}?last=1")
    assert (last, list(links)) == (keys[-3:], ["First", "Previous"])


def test_page_links_keep_the_filters(admin_client, rows):
    reads = list(AccessRecord.objects.filter(action="read").order_by("-pk").values_list("pk", flat=True))
    page, links = open_page(admin_client, f"{url_of(AccessRecord)}?action=read&user=admin&after={reads[0]}")
    assert page == reads[1:4]
    assert links["First"] == "?action=read&user=admin"


@pytest.mark.parametrize("place", ["after=x", "after=", "before=-1", f"after={'9' * 30}"])
def test_invalid_cursor_shows_the_first_page(admin_client, rows, place):
    assert open_page(admin_client, f"{url_of(APIKey)}?{place}") == open_page(admin_client, url_of(APIKey))


def test_before_cursor_near_the_start_shows_a_full_first_page(admin_client, rows):
    keys = list(APIKey.objects.order_by("-pk").values_list("pk", flat=True))
    assert open_page(admin_client, f"{url_of(APIKey)}?before={keys[1]}")[0] == keys[:3]


def test_rows_are_counted_up_to_the_cap(admin_client, rows, monkeypatch):
    monkeypatch.setattr(KeysetChangeList, "max_count", 5)
    html = admin_client.get(url_of(APIKey)).content.decode()
    assert "5+ API keys" in html
    monkeypatch.setattr(KeysetChangeList, "max_count", 8)
    assert "8 API keys" in admin_client.get(url_of(APIKey)).content.decode()


def test_actions_apply_to_rows_of_any_page(admin_client, rows):
    url = url_of(APIKey)
    _page, links = open_page(admin_client, url)
    second, _links = open_page(admin_client, url + links["Next"])
    data = {"action": "revoke", "_selected_action": second[:1], "index": 0}
    answer = admin_client.post(url + links["Next"], data, follow=True)
    assert "Revoked 1 API key." in answer.content.decode()
    assert list(APIKey.objects.exclude(revoked_at=None).values_list("pk", flat=True)) == second[:1]
