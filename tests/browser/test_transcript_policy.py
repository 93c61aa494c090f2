from playwright.sync_api import Page, expect

from conversations.models import Conversation
from tests.browser.pages import follow
from tests.browser.transcripts import create_all_item_types, transcript_path
from tests.browser.watch import Watch


def test_all_item_types_obey_the_csp(admin_page: Page, alice, live_server):
    conversation = create_all_item_types(alice)

    watch = Watch(admin_page)
    response = admin_page.goto(transcript_path(conversation))
    assert response.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    admin_page.get_by_role("button", name="Expand all").click()
    expect(admin_page.locator("#transcript details:not([open], .conversations-menu)")).to_have_count(0)
    admin_page.get_by_role("button", name="Collapse all").click()
    expect(admin_page.locator("#transcript details[open]")).to_have_count(0)
    follow(admin_page.get_by_role("link", name="Later").first)
    expect(admin_page.get_by_role("article", name="hologram")).to_be_visible()
    admin_page.get_by_label("Key 1", exact=True).fill("topic")
    admin_page.get_by_label("Value 1", exact=True).fill("other")
    admin_page.get_by_role("button", name="Save", exact=True).click()
    expect(admin_page.get_by_text("Saved the metadata of")).to_be_visible()
    assert watch.problems == []
    assert watch.foreign_requests(live_server.url) == []


def test_built_in_admin_pages_work_under_the_csp(admin_page: Page, alice, live_server):
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})

    watch = Watch(admin_page)
    admin_page.goto("/admin/conversations/conversation/")
    admin_page.get_by_role("checkbox", name="Select all").check()
    expect(admin_page.get_by_text("1 of 1 selected")).to_be_visible()
    admin_page.get_by_role("button", name="Toggle theme").click()
    admin_page.get_by_label("Toggle navigation").click()
    admin_page.goto("/admin/conversations/apikey/add/")
    admin_page.get_by_text("Today").first.click()
    expect(admin_page.locator("#id_expires_at_0")).not_to_have_value("")
    admin_page.locator(".date-icon").first.click()
    expect(admin_page.locator(".calendarbox").first).to_be_visible()
    assert [problem for problem in watch.problems if not problem.startswith("opened")] == []
    assert watch.foreign_requests(live_server.url) == []
