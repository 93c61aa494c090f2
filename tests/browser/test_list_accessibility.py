import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from tests.browser.axe import serious_violations
from tests.browser.list_page import LIST, OPTIONS, create_conversations
from tests.browser.pages import scrolls_sideways


@pytest.fixture
def conversations(live_server, alice, bob) -> list[Conversation]:
    return create_conversations(alice, bob)


BUSY = "?q=tenant:*&metadata_key=lang&metadata_operator=eq&metadata_value=en&metadata_key=&metadata_operator=exists"
BUSY += "&metadata_value=x&owner=alice&created_from=2026-01-01"


@pytest.mark.parametrize("width", [320, 1280])
def test_list_pages_are_accessible_and_fit_the_screen(admin_page: Page, conversations, width):
    admin_page.set_viewport_size({"width": width, "height": 800})
    for url in (LIST, LIST + BUSY, f"{LIST}?q=(tenant:acme"):
        admin_page.goto(url)
        assert not scrolls_sideways(admin_page)
        assert serious_violations(admin_page) == []
    expect(admin_page.get_by_text("expected ')' at position 13, but got the end")).to_be_visible()
    admin_page.goto(LIST)
    admin_page.get_by_text("Columns", exact=True).click()
    admin_page.locator("[name=metadata_key]").first.press_sequentially("te")
    expect(admin_page.locator(OPTIONS)).to_have_text(["tenant"])
    assert not scrolls_sideways(admin_page)
    assert serious_violations(admin_page) == []
    admin_page.keyboard.press("Escape")
    admin_page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(admin_page.get_by_role("dialog")).to_be_visible()
    assert serious_violations(admin_page) == []
    admin_page.goto(f"{LIST}{conversations[0].pk}/change/")
    assert not scrolls_sideways(admin_page)
    assert serious_violations(admin_page) == []


def test_wide_table_on_a_narrow_screen_can_be_scrolled_by_keyboard(admin_page: Page, conversations):
    admin_page.set_viewport_size({"width": 320, "height": 800})
    admin_page.goto(LIST)
    table = admin_page.get_by_role("region", name="Conversations", exact=True)
    assert table.evaluate("box => box.scrollWidth > box.clientWidth")
    table.focus()
    admin_page.keyboard.press("ArrowRight")
    expect(admin_page.locator("#result_list tbody .field-id").first).not_to_be_in_viewport(ratio=1)


def test_all_columns_are_visible_on_a_wide_screen(admin_page: Page, alice):
    Conversation.create_with_items(owner=alice, metadata={"customer": "Zürich Insurance", "tenant": "acme-104"})

    admin_page.set_viewport_size({"width": 1280, "height": 800})
    admin_page.goto(LIST)
    results = admin_page.locator("#changelist-form .results")
    assert results.evaluate("results => results.scrollWidth <= results.clientWidth")
