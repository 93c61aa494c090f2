import pytest
from playwright.sync_api import Locator, Page, expect

from conversations.api.openapi.operations import operations_by_view
from conversations.models import Conversation
from tests.browser.watch import Watch

SUMMARIES = [operation.summary for operations in operations_by_view().values() for operation in operations.values()]


@pytest.mark.slow
def test_documentation_page_shows_every_operation_and_tries_the_api_under_the_csp(
    page: Page, alice_secret, live_server
):
    watch = Watch(page)
    response = page.goto("/v1/docs")
    assert response.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    expect(page.locator(".opblock-summary-description")).to_have_text(SUMMARIES)

    page.get_by_role("button", name="Authorize").first.click()
    bearer = page.locator(".auth-container", has_text="Bearer sk-conv-…")
    bearer.get_by_role("textbox").fill(alice_secret)
    bearer.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").last.click()
    expect(execute(page, "createConversation")).to_contain_text('"topic": "demo"')
    conversation = Conversation.objects.get()
    expect(execute(page, "listConversations")).to_contain_text(conversation.pk)
    assert watch.problems == []
    assert watch.foreign_requests(live_server.url) == []


def execute(page: Page, operation_id: str) -> Locator:
    """Send the request with the example values that the page fills in, and return its response."""
    operation = page.locator(f"[id$={operation_id}]")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    return operation.locator(".live-responses-table .highlight-code").first
