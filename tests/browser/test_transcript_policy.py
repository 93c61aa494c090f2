from playwright.sync_api import Page, expect

from conversations.models import Conversation
from tests.browser.pages import follow
from tests.browser.transcripts import create_all_item_types, transcript_path
from tests.browser.watch import Watch


def test_all_item_types_obey_the_csp(visit, admin, alice, live_server):
    conversation = create_all_item_types(alice)

    def steps(page: Page) -> Watch:
        watch = Watch(page)
        response = page.goto(transcript_path(conversation))
        assert response.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        page.get_by_role("button", name="Expand all").click()
        expect(page.locator("#transcript details:not([open])")).to_have_count(0)
        page.get_by_role("button", name="Collapse all").click()
        expect(page.locator("#transcript details[open]")).to_have_count(0)
        follow(page.get_by_role("link", name="Later").first)
        expect(page.get_by_role("article", name="hologram")).to_be_visible()
        page.get_by_label("Metadata:").fill('{"topic": "other"}')
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("was changed successfully")).to_be_visible()
        return watch

    watch = visit(steps, as_user=admin)
    assert watch.problems == []
    assert watch.foreign_requests(live_server.url) == []


def test_built_in_admin_pages_work_under_the_csp(visit, admin, alice, live_server):
    Conversation.create_with_items(owner=alice, metadata={"topic": "demo"})

    def steps(page: Page) -> Watch:
        watch = Watch(page)
        page.goto("/admin/conversations/conversation/")
        page.get_by_role("checkbox", name="Select all").check()
        expect(page.get_by_text("1 of 1 selected")).to_be_visible()
        page.get_by_role("button", name="Toggle theme").click()
        page.get_by_label("Toggle navigation").click()
        page.goto("/admin/conversations/apikey/add/")
        with page.expect_popup() as popup:
            page.locator(".related-lookup").click()
        popup.value.get_by_role("link", name="alice").click()
        expect(page.get_by_label("User:")).to_have_value(str(alice.pk))
        page.get_by_text("Today").first.click()
        expect(page.locator("#id_expires_at_0")).not_to_have_value("")
        page.locator(".date-icon").first.click()
        expect(page.locator(".calendarbox").first).to_be_visible()
        return watch

    watch = visit(steps, as_user=admin)
    assert [problem for problem in watch.problems if not problem.startswith("opened")] == []
    assert watch.foreign_requests(live_server.url) == []
