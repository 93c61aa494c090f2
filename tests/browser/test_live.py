"""An open list or transcript offers what is new."""

import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from conversations.schema.items import validate_items
from tests.browser.pages import follow
from tests.browser.transcripts import transcript_path
from tests.browser.watch import Watch

ITEMS = validate_items([{"role": "user", "content": "hello"}])


@pytest.fixture(autouse=True)
def frequent_requests(settings):
    settings.CONVERSATIONS_POLL_SECONDS = 0.5


def test_open_transcript_offers_new_items(admin_page: Page, alice, live_server):
    conversation = Conversation.objects.create_with_items(owner=alice, items=ITEMS)
    watch = Watch(admin_page)
    admin_page.goto(transcript_path(conversation))
    offer = admin_page.locator(".conversations-live a")
    expect(offer).to_be_hidden()
    conversation.add_items(items=ITEMS * 12)
    expect(offer).to_have_text("12 new")
    expect(offer).to_be_in_viewport()
    follow(offer)
    expect(admin_page.get_by_role("article")).to_have_count(13)
    assert watch.problems == []
    assert watch.foreign_requests(live_server.url) == []


def test_open_list_offers_new_conversations(admin_page: Page, alice, live_server):
    watch = Watch(admin_page)
    admin_page.goto("/admin/conversations/conversation/?owner=alice")
    Conversation.objects.create_with_items(owner=alice, items=ITEMS)
    offer = admin_page.locator(".conversations-live a")
    expect(offer).to_have_text("1 new")
    follow(offer)
    expect(admin_page.locator("#result_list tbody tr")).to_have_count(1)
    assert watch.problems == []
