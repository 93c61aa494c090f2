import re

import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from tests.browser.list_page import LIST, create_conversations
from tests.browser.pages import follow


@pytest.fixture
def conversations(live_server, alice, bob) -> list[Conversation]:
    return create_conversations(alice, bob)


def test_keyboard_shortcuts_navigate_the_filtered_list(visit, admin, conversations):
    alices = [row for row in conversations if row.owner.username == "alice"]

    def steps(page: Page) -> None:
        page.goto(f"{LIST}?owner=alice")
        page.keyboard.press("/")
        expect(page.locator("#searchbar")).to_be_focused()
        page.keyboard.type("/?jk")
        expect(page.locator("#searchbar")).to_have_value("/?jk")
        follow(page.get_by_role("link", name=alices[1].pk))
        page.keyboard.press("Control+j")
        page.locator("[name=metadata]").press("j")
        page.wait_for_timeout(300)
        assert alices[1].pk.replace("_", "_5F") in page.url
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("j")
        page.wait_for_url(f"**{alices[2].pk.replace('_', '_5F')}**")
        page.keyboard.press("k")
        page.wait_for_url(f"**{alices[1].pk.replace('_', '_5F')}**")
        page.keyboard.press("?")
        dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
        expect(dialog).to_be_visible()
        page.keyboard.press("j")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        assert alices[1].pk.replace("_", "_5F") in page.url
        page.keyboard.press("/")
        page.wait_for_url(re.compile(r"\?owner=alice#searchbar"))

    visit(steps, as_user=admin)


def test_keyboard_shortcuts_can_be_switched_off(visit, admin, conversations):
    def steps(page: Page) -> None:
        page.goto(LIST)
        page.keyboard.press("?")
        follow(page.get_by_role("link", name="Switch them off"))
        page.keyboard.press("/")
        page.keyboard.press("?")
        expect(page.locator("#searchbar")).not_to_be_focused()
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.get_by_role("button", name="Keyboard shortcuts").click()
        follow(page.get_by_role("link", name="Switch them on"))
        page.keyboard.press("/")
        expect(page.locator("#searchbar")).to_be_focused()

    visit(steps, as_user=admin)
