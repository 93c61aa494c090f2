import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from conversations.schema.items import validate_items
from tests.browser.axe import axe_script, serious_violations
from tests.browser.pages import scrolls_sideways
from tests.browser.transcripts import create_all_item_types, store_item, transcript_path


@pytest.fixture(scope="session")
def axe(request) -> str:
    return axe_script(request.config.cache)


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_all_item_types_are_accessible(visit, admin, alice, live_server, axe, color_scheme):
    conversation = create_all_item_types(alice)

    def steps(page: Page) -> None:
        page.goto(transcript_path(conversation))
        assert serious_violations(page, axe) == []
        page.get_by_role("button", name="Expand all").click()
        expect(page.locator("#transcript details:not([open])")).to_have_count(0)
        assert serious_violations(page, axe) == []
        page.goto(transcript_path(conversation) + "?view=raw&item=holo_1#item_holo_1")
        assert serious_violations(page, axe) == []

    visit(steps, as_user=admin, color_scheme=color_scheme)


def test_wide_table_can_be_scrolled_by_keyboard(visit, admin, alice, axe, live_server):
    wide = "|" + "column|" * 30 + "\n|" + "-|" * 30 + "\n|" + "long cell|" * 30
    items = validate_items([{"role": "assistant", "content": wide}])
    conversation = Conversation.create_with_items(owner=alice, items=items)

    def steps(page: Page) -> None:
        page.goto(transcript_path(conversation))
        table = page.locator("#transcript table")
        assert table.evaluate("table => table.scrollWidth > table.clientWidth")
        assert serious_violations(page, axe) == []
        table.focus()
        page.keyboard.press("ArrowRight")
        expect(table.locator("th").first).not_to_be_in_viewport(ratio=1)

    visit(steps, as_user=admin, viewport={"width": 375, "height": 800})


@pytest.mark.parametrize("width", [320, 375])
def test_all_item_types_fit_a_narrow_screen(visit, admin, alice, live_server, width):
    conversation = create_all_item_types(alice)
    store_item(
        conversation, {"type": "message", "role": "user", "content": "x" * 2_000}, item_type="message", item_id="m_1"
    )
    wide = "|" + "column|" * 30 + "\n|" + "-|" * 30 + "\n|" + "long cell|" * 30
    store_item(conversation, {"type": "message", "role": "user", "content": wide}, item_type="message", item_id="m_2")

    def steps(page: Page) -> None:
        for query in ("", "?view=raw", "?view=rendered&after=90"):
            page.goto(transcript_path(conversation) + query)
            assert not scrolls_sideways(page)
            page.get_by_role("button", name="Expand all").click()
            assert not scrolls_sideways(page)

    visit(steps, as_user=admin, viewport={"width": width, "height": 800})
