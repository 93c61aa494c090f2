import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from conversations.schema.items import validate_items
from tests.browser.axe import serious_violations
from tests.browser.list_page import LIST, OPTIONS, create_conversations, open_filter, rows
from tests.browser.pages import scrolls_sideways


@pytest.fixture
def conversations(live_server, alice, bob) -> list[Conversation]:
    return create_conversations(alice, bob)


BUSY = "?q=tenant:*&metadata_key=lang&metadata_operator=eq&metadata_value=en&metadata_key=&metadata_operator=exists"
BUSY += "&metadata_value=x&owner=alice&created_from=2026-01-01"


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 1280])
def test_list_pages_are_accessible_and_fit_the_screen(admin_page: Page, conversations, width):
    admin_page.set_viewport_size({"width": width, "height": 800})
    for url in (LIST, LIST + BUSY, f"{LIST}?q=(tenant:acme"):
        admin_page.goto(url)
        assert not scrolls_sideways(admin_page)
        assert serious_violations(admin_page) == []
    expect(admin_page.get_by_text("Read as")).to_be_visible()
    admin_page.goto(LIST)
    admin_page.get_by_text("Columns", exact=True).click()
    open_filter(admin_page)
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


@pytest.mark.parametrize("query", ["", "?q=order"])
@pytest.mark.parametrize(("width", "height", "count"), [(1440, 900, 10), (375, 812, 5)])
def test_rows_are_in_view_without_scrolling(admin_page: Page, alice, width, height, count, query):
    call = {"type": "function_call", "name": "find", "arguments": "{}"}
    items = validate_items(
        [
            {"role": "user", "content": "Where is my order? " * 20},
            {**call, "call_id": "a", "status": "incomplete"},
            {**call, "call_id": "b"},
        ]
    )
    metadata = {f"key {number}": "a value of some length" for number in range(16)}
    for _ in range(count):
        Conversation.objects.create_with_items(owner=alice, metadata=metadata, items=items)

    admin_page.set_viewport_size({"width": width, "height": height})
    admin_page.goto(LIST + query)
    expect(rows(admin_page).first.locator(".conversations-mark")).not_to_have_count(0)
    expect(rows(admin_page).locator(".conversations-snippet")).to_have_count(count if query else 0)
    expect(rows(admin_page)).to_have_count(count)
    expect(rows(admin_page).first).to_be_in_viewport(ratio=1)
    expect(rows(admin_page).last).to_be_in_viewport(ratio=1)
    assert not scrolls_sideways(admin_page)


@pytest.mark.parametrize("query", ["", "?owner=alice", "?owner=alice&created_from=2026-01-01", "?q=order"])
def test_first_row_is_few_tab_presses_away(admin_page: Page, conversations, query):
    title = rows(admin_page).first.locator("[data-row]")

    admin_page.goto(LIST + query)
    expect(title).to_be_visible()
    passed = []
    for _number in range(15):
        admin_page.keyboard.press("Tab")
        if title.evaluate("title => title === document.activeElement"):
            break
        passed.append(admin_page.evaluate("document.activeElement.outerHTML"))
    assert len(passed) < 15, "\n".join(passed)
    expect(title).to_be_in_viewport()


def test_chips_stand_between_the_search_and_the_rows(admin_page: Page, conversations):
    admin_page.goto(f"{LIST}?owner=alice")
    chips, search = admin_page.locator(".conversations-chips"), admin_page.locator("#changelist-search")
    actions = admin_page.locator(".conversations-list-actions")
    tops = [element.bounding_box()["y"] for element in (search, chips, actions, rows(admin_page).first)]
    assert tops == sorted(tops)


def test_all_columns_are_visible_on_a_wide_screen(admin_page: Page, alice):
    Conversation.objects.create_with_items(owner=alice, metadata={"customer": "Zürich Insurance", "tenant": "acme-104"})

    admin_page.set_viewport_size({"width": 1280, "height": 800})
    admin_page.goto(LIST)
    results = admin_page.locator("#changelist-form .results")
    assert results.evaluate("results => results.scrollWidth <= results.clientWidth")
