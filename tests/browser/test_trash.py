import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse
from playwright.sync_api import Page

from conversations.models import Conversation, DeletedConversation
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash
from tests.browser.axe import serious_violations
from tests.browser.pages import follow
from tests.browser.watch import Watch

LIST_URL = reverse("admin:conversations_deletedconversation_changelist")


@pytest.fixture
def conversation(admin_user) -> Conversation:
    """One conversation, beside three others in the trash."""
    metadata = {"topic": "a billing question", "tenant": "acme", "order id": "6735-" + "x" * 60, "escalated": "yes"}
    items = validate_items([{"role": "user", "content": "hi"}] * 3)
    rows = [Conversation.objects.create_with_items(owner=admin_user, metadata=metadata, items=items) for _ in range(4)]
    for row in rows[1:]:
        move_to_trash(row, deleted_by=admin_user)
    return rows[0]


def pages(conversation: Conversation) -> dict[str, str]:
    row = quote(DeletedConversation.objects.latest("pk").pk)
    return {
        "list": LIST_URL,
        "confirmation": reverse("admin:conversations_conversation_delete", args=[quote(conversation.pk)]),
        "deleted conversation": reverse("admin:conversations_deletedconversation_change", args=[row]),
        "deleting for good": reverse("admin:conversations_deletedconversation_delete", args=[row]),
    }


def test_deleted_conversation_can_be_restored_by_mouse(admin_page: Page, conversation, live_server):
    confirmation = pages(conversation)["confirmation"]

    watch = Watch(admin_page)
    admin_page.goto(confirmation)
    follow(admin_page.get_by_role("button", name="Delete"))
    admin_page.goto(LIST_URL)
    follow(admin_page.locator(".field-title a").first)
    follow(admin_page.get_by_role("button", name="Restore"))
    assert admin_page.locator(".messagelist").inner_text() == "Restored 1 conversation."
    assert Conversation.objects.get().pk == conversation.pk
    assert watch.problems == []
    assert watch.foreign_requests(live_server.url) == []


@pytest.mark.slow
def test_trash_pages_are_accessible_and_fit_a_narrow_screen(admin_page: Page, conversation):
    urls = pages(conversation)

    admin_page.set_viewport_size({"width": 320, "height": 800})
    results = {}
    for name, url in urls.items():
        admin_page.goto(url)
        results[name] = (admin_page.evaluate("document.documentElement.scrollWidth"), serious_violations(admin_page))
    assert results == dict.fromkeys(urls, (320, []))


def test_all_columns_are_visible_at_1280_pixels(admin_page: Page, conversation):
    admin_page.set_viewport_size({"width": 1280, "height": 800})
    admin_page.goto(LIST_URL)
    results = admin_page.locator("#changelist-form .results")
    assert results.evaluate("box => box.scrollWidth <= box.clientWidth")
