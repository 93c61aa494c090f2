"""Everyday jobs of support and operations staff, from the first page of the admin on, in few clicks.

Typing is not counted, nor are the choice of a field and the Enter key.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from playwright.sync_api import Locator, Page, expect

from conversations.models import APIKey, Conversation, DeletedConversation, SavedView
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash
from tests.overview.plain_counts import create_conversations

MESSAGE = {"role": "user", "content": "Where is my parcel?"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "find_shipment", "arguments": "{}"}
FAILED = {"type": "function_call_output", "call_id": "call_1", "output": '{"error": "no such order"}'}


@dataclass
class Mouse:
    """Clicks and counts."""

    page: Page
    clicks: int = 0

    def click(self, locator: Locator) -> None:
        self.clicks += 1
        locator.click()

    def open(self, name: str) -> None:
        """Follow a link of the first page, and wait until it is left: it has a search box too."""
        self.page.goto("/admin/")
        with self.page.expect_navigation():
            self.click(self.page.locator("#content").get_by_role("link", name=name, exact=True).first)


def search(page: Page, text: str) -> None:
    page.locator("#searchbar").fill(text)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def row(page: Page) -> Locator:
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    return page.locator("#result_list tbody th a, #result_list .conversations-title").first


def find_by_order_number(mouse: Mouse) -> None:
    mouse.open("All conversations")
    search(mouse.page, "A-77812")
    mouse.click(row(mouse.page))
    expect(mouse.page.get_by_role("article").first).to_contain_text("Where is my parcel?")


def filter_tenant_and_tool(mouse: Mouse) -> None:
    mouse.open("All conversations")
    search(mouse.page, "tenant:acme @tool:find_shipment")
    mouse.click(mouse.page.locator("details.conversations-form summary"))
    mouse.click(mouse.page.get_by_role("button", name="Last 7 days"))
    expect(mouse.page.locator(".conversations-chips")).to_contain_text("@tool:find_shipment")
    row(mouse.page)


def filter_tenant_and_tool_by_form(mouse: Mouse) -> None:
    mouse.open("All conversations")
    mouse.click(mouse.page.locator("details.conversations-form summary"))
    mouse.page.get_by_label("Tool").fill("find_shipment")
    mouse.page.get_by_role("combobox", name="Key:").fill("tenant")
    mouse.page.get_by_role("combobox", name="Value:").fill("acme")
    mouse.click(mouse.page.get_by_role("button", name="Last 7 days"))
    for condition in ("tool: find_shipment", "tenant", "acme"):
        expect(mouse.page.locator(".conversations-chips")).to_contain_text(condition)
    row(mouse.page)


def find_failing_call(mouse: Mouse) -> None:
    mouse.page.goto("/admin/conversations/conversation/?q=A-77812")
    mouse.click(row(mouse.page))
    mouse.click(mouse.page.locator("[data-problem='1']"))
    expect(mouse.page.locator(".conversations-has-problem")).to_be_in_viewport()


def share_readable_file(mouse: Mouse) -> None:
    mouse.open("All conversations")
    search(mouse.page, "A-77812")
    mouse.click(row(mouse.page))
    with mouse.page.expect_download() as download:
        mouse.click(mouse.page.get_by_role("button", name="Download as HTML"))
    assert "Where is my parcel?" in download.value.path().read_text()


def erase_customer(mouse: Mouse) -> None:
    mouse.open("All conversations")
    search(mouse.page, "order_id:B-2")
    mouse.click(mouse.page.get_by_role("link", name="Erase person"))
    mouse.page.get_by_role("textbox").fill("1")
    mouse.click(mouse.page.get_by_role("button", name="Erase"))
    receipt = mouse.page.get_by_role("table", name="Erased")
    expect(receipt.get_by_role("row", name="Conversations 1", exact=True)).to_be_visible()
    expect(mouse.page.get_by_text("Checked: no table refers to 1 id")).to_be_visible()
    assert not Conversation.objects.filter(metadata__order_id="B-2").exists()


def compare_weeks(mouse: Mouse) -> None:
    mouse.page.goto("/admin/")
    figure = mouse.page.locator(".conversations-glance dl div").filter(has_text="Conversations, last 7 days")
    expect(figure.locator(".conversations-change")).to_have_text("+50 %")
    mouse.click(mouse.page.get_by_role("link", name="Overview", exact=True))
    chart = mouse.page.get_by_role("figure").filter(has_text="Conversations per day")
    expect(chart).to_contain_text("4 in the 7 days before · +50 % without today")


def give_read_access(mouse: Mouse) -> None:
    page = mouse.page
    page.goto("/admin/")
    mouse.click(page.locator("#content .model-user .addlink"))
    page.get_by_label("Username").fill("colleague")
    for label in ("Password:", "Password confirmation:"):
        page.get_by_label(label, exact=True).fill("a long sentence 17")
    mouse.click(page.get_by_role("button", name="Save", exact=True))
    mouse.click(page.get_by_label("Staff status"))
    page.locator("#id_groups_input").press_sequentially("readers")
    expect(page.locator("#id_groups_from option")).to_have_text(["Conversation readers"])
    page.keyboard.press("Enter")
    expect(page.locator("#id_groups_to option")).to_have_text(["Conversation readers"])
    mouse.click(page.get_by_role("button", name="Save", exact=True))
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert User.objects.get(username="colleague", is_staff=True).has_perm("conversations.read_content")


def correct_metadata(mouse: Mouse) -> None:
    mouse.open("All conversations")
    search(mouse.page, "A-77812")
    mouse.click(row(mouse.page))
    field = mouse.page.locator("[name=metadata_value]").first
    value = field.input_value()
    field.fill(f"{value}-corrected")
    with mouse.page.expect_navigation():
        mouse.click(mouse.page.get_by_role("button", name="Save", exact=True))
    assert Conversation.objects.filter(metadata__order_id=f"{value}-corrected").exists()


def save_and_share_view(mouse: Mouse) -> None:
    mouse.page.goto("/admin/conversations/conversation/?q=tenant:acme")
    mouse.click(mouse.page.get_by_text("Save this view"))
    mouse.page.get_by_label("Name:").fill("Acme")
    mouse.click(mouse.page.get_by_label("Share", exact=True))
    mouse.click(mouse.page.get_by_role("button", name="Save", exact=True))
    expect(mouse.page.get_by_text("was added successfully")).to_be_visible()
    assert SavedView.objects.get().is_shared


def restore_after_reading(mouse: Mouse) -> None:
    mouse.open("Deleted conversations")
    search(mouse.page, "order_id:B-1")
    mouse.click(row(mouse.page))
    mouse.click(mouse.page.get_by_role("link", name="Read", exact=True))
    expect(mouse.page.get_by_role("article").first).to_contain_text("Where is my parcel?")
    mouse.click(mouse.page.get_by_role("button", name="Restore"))
    expect(mouse.page.get_by_text("Restored 1 conversation.")).to_be_visible()
    assert not DeletedConversation.objects.exists()


def revoke_leaked_key(mouse: Mouse) -> None:
    key, secret = APIKey.create(user=User.objects.get(username="alice"), name="leaked")
    mouse.open("API keys")
    search(mouse.page, secret)
    mouse.click(mouse.page.get_by_role("link", name="Revoke", exact=True))
    mouse.click(mouse.page.get_by_role("button", name="Revoke"))
    expect(mouse.page.get_by_text("Revoked 1 API key.")).to_be_visible()
    key.refresh_from_db()
    assert key.revoked_at


@pytest.fixture
def store(admin_user: User, alice: User) -> None:
    call_command("create_conversation_groups", verbosity=0)
    items = validate_items([MESSAGE] * 228 + [CALL, FAILED], max_items=None)
    metadata = {"order_id": "A-77812", "tenant": "acme"}
    Conversation.objects.create_with_items(owner=alice, metadata=metadata, items=items)
    others = [
        Conversation.objects.create_with_items(owner=alice, metadata={"order_id": number}, items=items[:1])
        for number in ("B-1", "B-2")
    ]
    move_to_trash(others[0], deleted_by=admin_user)
    create_conversations(alice, {1: 6, 9: 4}, metadata={"tenant": "other"}, items=items[:1])


@pytest.mark.slow
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("job", "goal"),
    [
        (find_by_order_number, 2),
        (filter_tenant_and_tool, 4),
        (filter_tenant_and_tool_by_form, 4),
        (find_failing_call, 2),
        (share_readable_file, 3),
        (compare_weeks, 1),
        (erase_customer, 5),
        (give_read_access, 5),
        (revoke_leaked_key, 3),
        (save_and_share_view, 4),
        (restore_after_reading, 4),
        (correct_metadata, 3),
    ],
)
def test_everyday_job_takes_few_clicks(admin_page: Page, job: Callable[[Mouse], None], goal: int):
    mouse = Mouse(admin_page)
    job(mouse)
    assert mouse.clicks <= goal
