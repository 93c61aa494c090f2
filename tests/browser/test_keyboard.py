"""From the list to a transcript, its deletion and its restoration, without a mouse."""

import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from conversations.schema.items import validate_items
from tests.browser.transcripts import TALK

TOLD = "(each => each.type === 'submit' ? each.value : each.ariaLabel || each.textContent)(document.activeElement)"


def tab_to(page: Page, name: str) -> None:
    """To what assistive technology calls by this name."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if name == " ".join(page.evaluate(TOLD).split()):
            return
    raise AssertionError(f"{name} is not reached")


@pytest.mark.slow
def test_conversation_can_be_read_exported_deleted_and_restored_by_keyboard(admin_page: Page, admin_user):
    conversation = Conversation.objects.create_with_items(
        owner=admin_user, metadata={"topic": "demo"}, items=validate_items(TALK)
    )

    title = " ".join(TALK[1]["content"].split())

    def press(name: str) -> None:
        tab_to(admin_page, name)
        admin_page.keyboard.press("Enter")

    def follow(name: str) -> None:
        tab_to(admin_page, name)
        with admin_page.expect_navigation():
            admin_page.keyboard.press("Enter")

    admin_page.goto("/admin/")
    press("Skip to main content")
    follow("All conversations")
    follow(title)
    follow("Messages only")
    expect(admin_page.get_by_role("article")).to_have_count(6)
    follow("All items")
    press("Items by type")
    expect(admin_page.get_by_text("Function call", exact=True).first).to_be_visible()
    admin_page.get_by_role("article", name="System").locator(".conversations-collapsible > summary").focus()
    admin_page.keyboard.press("Enter")
    expect(admin_page.get_by_text("Answer briefly.")).to_be_visible()
    press("#2 ⋯ Menu")
    follow("Raw view of item 2")
    expect(admin_page.get_by_role("article").nth(1)).to_contain_text('"role": "user"')
    admin_page.goto(f"/admin/conversations/conversation/{conversation.pk}/change/")
    follow("Export")
    follow("Back")
    follow(title)
    follow("Delete")
    follow("Delete")
    expect(admin_page.get_by_text("was deleted successfully")).to_be_visible()
    admin_page.goto("/admin/conversations/deletedconversation/")
    follow(title)
    follow("Restore")
    expect(admin_page.get_by_text("Restored 1 conversation.")).to_be_visible()
    assert Conversation.objects.get() == conversation
