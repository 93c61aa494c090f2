from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page

from conversations.models import Conversation
from conversations.schema.items import validate_items

LIST = "/admin/conversations/conversation/"
OPTIONS = ".conversations-suggestions [role=option]"


def create_conversations(alice: User, bob: User) -> list[Conversation]:
    """Create five conversations, and return them newest first."""
    rows = [
        (alice, {"tenant": "acme", "topic": "refund", "lang": "en"}),
        (alice, {"tenant": "acme", "topic": "demo", "lang": "de"}),
        (bob, {"tenant": "ajax", "topic": "demo", "lang": "en", "order id": "6735"}),
        (alice, {"tenant": "acme-104", "topic": "demo", "lang": "en"}),
        (alice, {"k" * 64: "v" * 512}),
    ]
    items = validate_items([{"role": "user", "content": "Where is my order? " * 20}])
    return [
        Conversation.objects.create_with_items(owner=owner, metadata=metadata, items=items) for owner, metadata in rows
    ][::-1]


def title_link(page: Page, conversation: Conversation) -> Locator:
    """The link of a row that opens the conversation."""
    return page.locator(f'.conversations-title[href*="{quote(conversation.pk)}"]')


def open_filter(page: Page) -> None:
    page.locator("details.conversations-form summary").click()


def rows(page: Page):
    return page.locator("#result_list tbody tr")
