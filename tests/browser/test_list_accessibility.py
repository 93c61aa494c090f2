import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from tests.browser.axe import axe_script, serious_violations
from tests.browser.list_page import LIST, OPTIONS, create_conversations
from tests.browser.pages import scrolls_sideways


@pytest.fixture(scope="session")
def axe(request) -> str:
    return axe_script(request.config.cache)


@pytest.fixture
def conversations(live_server, alice, bob) -> list[Conversation]:
    return create_conversations(alice, bob)


BUSY = "?q=tenant:*&metadata_key=lang&metadata_operator=eq&metadata_value=en&metadata_key=&metadata_operator=exists"
BUSY += "&metadata_value=x&owner=alice&created_from=2026-01-01"


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_list_pages_are_accessible_and_fit_the_screen(
    visit, admin, conversations, axe, color_scheme, width, tmp_path_factory
):
    def steps(page: Page) -> None:
        for url in (LIST, LIST + BUSY, f"{LIST}?q=(tenant:acme"):
            page.goto(url)
            assert not scrolls_sideways(page)
            assert serious_violations(page, axe) == []
        expect(page.get_by_text("expected ')' at position 13, but got the end")).to_be_visible()
        page.goto(LIST)
        page.get_by_text("Columns", exact=True).click()
        page.locator("[name=metadata_key]").first.press_sequentially("te")
        expect(page.locator(OPTIONS)).to_have_text(["tenant"])
        assert not scrolls_sideways(page)
        assert serious_violations(page, axe) == []
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Keyboard shortcuts").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert serious_violations(page, axe) == []
        page.goto(f"{LIST}{conversations[0].pk}/change/")
        assert not scrolls_sideways(page)
        assert serious_violations(page, axe) == []

    visit(steps, as_user=admin, viewport={"width": width, "height": 800}, color_scheme=color_scheme)


def test_wide_table_on_a_narrow_screen_can_be_scrolled_by_keyboard(visit, admin, conversations):
    def steps(page: Page) -> None:
        page.goto(LIST)
        table = page.get_by_role("region", name="Conversations", exact=True)
        assert table.evaluate("box => box.scrollWidth > box.clientWidth")
        table.focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator("#result_list tbody .field-id").first).not_to_be_in_viewport(ratio=1)

    visit(steps, as_user=admin, viewport={"width": 320, "height": 800})


def test_all_columns_are_visible_on_a_wide_screen(visit, admin, live_server, alice):
    Conversation.create_with_items(owner=alice, metadata={"customer": "Zürich Insurance", "tenant": "acme-104"})

    def steps(page: Page) -> None:
        page.goto(LIST)
        results = page.locator("#changelist-form .results")
        assert results.evaluate("results => results.scrollWidth <= results.clientWidth")

    visit(steps, as_user=admin, viewport={"width": 1280, "height": 800})
