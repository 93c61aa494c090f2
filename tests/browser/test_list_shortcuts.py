import re

import pytest
from django.contrib.admin.utils import quote
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from tests.browser.list_page import LIST, create_conversations, title_link
from tests.browser.pages import follow


@pytest.fixture
def conversations(live_server, alice, bob) -> list[Conversation]:
    return create_conversations(alice, bob)


def test_keyboard_shortcuts_navigate_the_filtered_list(admin_page: Page, conversations):
    alices = [row for row in conversations if row.owner.username == "alice"]

    admin_page.goto(f"{LIST}?owner=alice")
    admin_page.keyboard.press("/")
    expect(admin_page.locator("#searchbar")).to_be_focused()
    admin_page.keyboard.type("/?jk")
    expect(admin_page.locator("#searchbar")).to_have_value("/?jk")
    follow(title_link(admin_page, alices[1]))
    admin_page.keyboard.press("Control+j")
    admin_page.locator("[name=metadata_value]").first.press("j")
    admin_page.wait_for_timeout(300)
    assert alices[1].pk.replace("_", "_5F") in admin_page.url
    admin_page.evaluate("document.activeElement.blur()")
    admin_page.keyboard.press("j")
    admin_page.wait_for_url(f"**{alices[2].pk.replace('_', '_5F')}**")
    admin_page.keyboard.press("k")
    admin_page.wait_for_url(f"**{alices[1].pk.replace('_', '_5F')}**")
    admin_page.keyboard.press("?")
    dialog = admin_page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    admin_page.keyboard.press("j")
    admin_page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert alices[1].pk.replace("_", "_5F") in admin_page.url
    admin_page.keyboard.press("/")
    admin_page.wait_for_url(re.compile(r"\?owner=alice#searchbar"))


def test_rows_are_reached_and_opened_by_single_keys(admin_page: Page, conversations):
    admin_page.goto(LIST)
    for key, row in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        admin_page.keyboard.press(key)
        expect(title_link(admin_page, conversations[row])).to_be_focused()
    for _ in range(9):
        admin_page.keyboard.press("j")
    expect(title_link(admin_page, conversations[-1])).to_be_focused()
    admin_page.locator("#searchbar").press("j")
    expect(admin_page.locator("#searchbar")).to_have_value("j")
    title_link(admin_page, conversations[1]).focus()
    admin_page.keyboard.press("Enter")
    admin_page.wait_for_url(f"**{quote(conversations[1].pk)}**")


def test_keyboard_shortcuts_can_be_switched_off(admin_page: Page, conversations):
    admin_page.goto(LIST)
    admin_page.keyboard.press("?")
    follow(admin_page.get_by_role("link", name="Switch them off"))
    admin_page.keyboard.press("/")
    admin_page.keyboard.press("j")
    admin_page.keyboard.press("?")
    expect(admin_page.locator("[data-row]:focus")).to_have_count(0)
    expect(admin_page.locator("#searchbar")).not_to_be_focused()
    expect(admin_page.get_by_role("dialog")).to_be_hidden()
    admin_page.get_by_role("button", name="Keyboard shortcuts").click()
    follow(admin_page.get_by_role("link", name="Switch them on"))
    admin_page.keyboard.press("/")
    expect(admin_page.locator("#searchbar")).to_be_focused()
