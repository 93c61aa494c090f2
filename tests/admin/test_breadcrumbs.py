"""The breadcrumbs of all pages of the admin."""

import re
from datetime import date
from html import unescape

import pytest
from django.urls import reverse

from conversations.models import Conversation, SavedView
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash
from tests.admin_pages import add_other_rows, list_pages, other_pages, transcript_pages
from tests.seed import seed_conversations

LIST_URL = reverse("admin:conversations_conversation_changelist")
INDEX_OF_THE_APP = 'href="/admin/conversations/"'


@pytest.fixture
def pages(admin_user, alice) -> dict[str, str]:
    for _ in seed_conversations(conversations=12, items_per=4, seed=1, start=date(2026, 1, 1)):
        pass
    add_other_rows(admin_user, alice, count=5)
    return {"list": list_pages()["list: plain"], **transcript_pages(), **other_pages()}


def test_breadcrumbs_name_the_list_but_not_the_app_of_the_same_name(admin_client, pages):
    crumbs, with_index = {}, set()
    for name, url in pages.items():
        found = re.search(r'<div class="breadcrumbs">(.*?)</div>', admin_client.get(url).content.decode(), re.S)
        if found:
            texts = re.sub(r"<[^>]*>", "", found[1]).split("&rsaquo;")
            crumbs[name] = [unescape(text).strip() for text in texts]
            with_index |= {name} if INDEX_OF_THE_APP in found[1] else set()
    assert with_index == set()
    assert {name: texts for name, texts in crumbs.items() if texts[0] != "Home" or len({*texts}) < len(texts)} == {}
    assert reverse("admin:app_list", args=["conversations"]) == "/admin/conversations/"
    assert crumbs["list"] == ["Home", "Conversations"]
    assert crumbs["overview"] == ["Home", "Conversations", "Overview"]
    assert crumbs["deletion"][-1] == "Delete"
    assert crumbs["history"][-1] == "History"
    assert crumbs["new API key"][:2] == ["Home", "API keys"]
    assert len(crumbs["API key"]) == 3


def test_breadcrumbs_of_a_page_that_reads_the_trash(admin_client, alice):
    items = validate_items([{"role": "user", "content": "Hello?"}])
    deleted = move_to_trash(Conversation.objects.create_with_items(owner=alice, items=items))
    html = admin_client.get(reverse("admin:conversations_deletedconversation_read", args=[deleted.pk])).content.decode()
    crumbs = html.partition('class="breadcrumbs"')[2].partition("</div>")[0]
    assert re.findall(r">([^<>]+)</", crumbs) == ["Home", "Deleted conversations", "Hello?"]


def test_breadcrumb_of_a_filtered_list_leads_to_all_conversations(admin_client, admin_user, alice):
    SavedView.objects.create(owner=admin_user, name="hers", query_string="owner=alice", is_default=True)
    html = admin_client.get(LIST_URL, {"owner": "alice"}).content.decode()
    crumbs = html.partition('class="breadcrumbs"')[2].partition("</div>")[0]
    [link] = re.findall(r'<a href="([^"]*)">Conversations</a>', crumbs)
    everything = admin_client.get(f"{LIST_URL}{link}")
    assert everything.status_code == 200  # no redirect to the default view
    assert everything.context["cl"].form.chips == []
