"""A search for words shows passages that link to their items."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from conversations.schema.items import validate_items
from tests.browser.axe import serious_violations
from tests.browser.watch import Watch

LIST_PATH = reverse("admin:conversations_conversation_changelist")
HOSTILE = "<img src=x onerror=a()> refund <script>alert(2)</script>"


@pytest.fixture
def conversations(alice) -> list[Conversation]:
    texts = ["hello", "a refund of 100 % " + "x" * 300, HOSTILE, "استرداد refund أموال", "退款 refund 🙏"]
    items = [validate_items([{"role": "user", "content": text}]) for text in texts]
    return [Conversation.objects.create_with_items(owner=alice, items=each) for each in items]


def test_snippet_links_to_its_item(admin_page: Page, conversations, live_server):
    watch = Watch(admin_page)
    admin_page.goto(LIST_PATH)
    admin_page.locator("#searchbar").fill("refund")
    admin_page.locator("#searchbar").press("Enter")
    snippets = admin_page.locator("#result_list tbody .conversations-snippet")
    expect(snippets).to_have_count(4)
    expect(admin_page.locator("mark")).to_have_count(4)
    expect(snippets.locator("mark")).to_have_text(["refund"] * 4)
    expect(snippets.nth(2)).to_contain_text(HOSTILE)
    snippets.nth(2).click()
    expect(admin_page.locator("article:target mark")).to_have_text("refund")
    expect(admin_page.get_by_role("search").get_by_role("status")).to_have_text("1 of 1")
    assert watch.problems == []
    assert watch.foreign_requests(live_server.url) == []


@pytest.mark.parametrize("width", [1280, 1440])
def test_metadata_of_a_match_is_not_cut(admin_page: Page, alice, live_server, width):
    metadata = {"tenant": "tenant-0001", "channel": "email", "plan": "enterprise"}
    items = validate_items([{"role": "user", "content": "a refund of 100 % " + "x " * 300}])
    Conversation.objects.create_with_items(owner=alice, metadata=metadata, items=items)
    admin_page.set_viewport_size({"width": width, "height": 800})
    admin_page.goto(f"{LIST_PATH}?q=refund")
    pairs = admin_page.locator(".conversations-hit .conversations-pairs > li")
    expect(pairs).to_have_count(3)
    assert pairs.evaluate_all("pairs => pairs.filter(pair => pair.scrollWidth > pair.clientWidth).length") == 0


@pytest.mark.parametrize("width", [320, 1280])
def test_snippets_are_accessible_and_fit_the_screen(admin_page: Page, conversations, width):
    admin_page.set_viewport_size({"width": width, "height": 800})
    admin_page.goto(f"{LIST_PATH}?q=refund")
    expect(admin_page.locator(".conversations-snippet mark")).to_have_count(4)
    assert serious_violations(admin_page) == []
    assert admin_page.evaluate("document.documentElement.scrollWidth") <= width
