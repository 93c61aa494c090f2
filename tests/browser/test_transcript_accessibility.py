import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from conversations.schema.items import validate_items
from tests.browser.axe import serious_violations
from tests.browser.pages import scrolls_sideways
from tests.browser.transcripts import TALK, create_all_item_types, store_item, transcript_path


def test_collapsed_items_are_accessible(admin_page: Page, alice):
    conversation = Conversation.objects.create_with_items(owner=alice, items=validate_items(TALK))
    admin_page.goto(transcript_path(conversation))
    assert serious_violations(admin_page) == []


@pytest.mark.slow
def test_all_item_types_are_accessible(admin_page: Page, alice):
    conversation = create_all_item_types(alice, examples=1)
    admin_page.goto(transcript_path(conversation))
    admin_page.get_by_role("button", name="Expand all").click()
    expect(admin_page.locator("#transcript details:not([open], .conversations-menu)")).to_have_count(0)
    assert serious_violations(admin_page) == []
    admin_page.goto(transcript_path(conversation) + "?view=raw&item=holo_1#item_holo_1")
    assert serious_violations(admin_page) == []


def test_wide_table_can_be_scrolled_by_keyboard(admin_page: Page, alice):
    wide = "|" + "column|" * 30 + "\n|" + "-|" * 30 + "\n|" + "long cell|" * 30
    items = validate_items([{"role": "assistant", "content": wide}])
    conversation = Conversation.objects.create_with_items(owner=alice, items=items)

    admin_page.set_viewport_size({"width": 375, "height": 800})
    admin_page.goto(transcript_path(conversation))
    table = admin_page.locator("#transcript table")
    assert table.evaluate("table => table.scrollWidth > table.clientWidth")
    assert serious_violations(admin_page) == []
    table.focus()
    admin_page.keyboard.press("ArrowRight")
    expect(table.locator("th").first).not_to_be_in_viewport(ratio=1)


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 375])
def test_all_item_types_fit_a_narrow_screen(admin_page: Page, alice, width):
    conversation = create_all_item_types(alice)
    store_item(
        conversation, {"type": "message", "role": "user", "content": "x" * 2_000}, item_type="message", item_id="m_1"
    )
    wide = "|" + "column|" * 30 + "\n|" + "-|" * 30 + "\n|" + "long cell|" * 30
    store_item(conversation, {"type": "message", "role": "user", "content": wide}, item_type="message", item_id="m_2")

    admin_page.set_viewport_size({"width": width, "height": 800})
    for query in ("", "?view=raw", "?view=rendered&after=90"):
        admin_page.goto(transcript_path(conversation) + query)
        assert not scrolls_sideways(admin_page)
        admin_page.get_by_role("button", name="Expand all").click()
        assert not scrolls_sideways(admin_page)
