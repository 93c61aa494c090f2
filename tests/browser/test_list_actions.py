"""Saved views, exports and bulk deletions by mouse."""

import json

import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation, SavedView
from conversations.schema.items import validate_items
from tests.browser.axe import axe_script, serious_violations
from tests.browser.pages import follow, scrolls_sideways
from tests.browser.watch import Watch

LIST = "/admin/conversations/conversation/"
DEMO = "metadata_key=topic&metadata_operator=eq&metadata_value=demo"
PAGES = [
    f"{LIST}?{DEMO}",
    f"{LIST}export/?{DEMO}",
    f"{LIST}delete/?{DEMO}",
    "/admin/conversations/savedview/",
    "/admin/conversations/savedview/add/",
]


@pytest.fixture
def conversations(live_server, alice) -> list[Conversation]:
    items = validate_items([{"role": "user", "content": "hello"}])
    return [
        Conversation.create_with_items(owner=alice, metadata={"topic": topic}, items=items)
        for topic in ("other", "demo", "demo")
    ]


@pytest.fixture
def views(admin, alice) -> None:
    query = f"{DEMO}&owner=alice"
    SavedView.objects.create(owner=admin, name="Demo of alice", query_string=query, is_default=True)
    SavedView.objects.create(owner=alice, name="w" * 100, query_string="", is_shared=True)


def rows(page: Page):
    return page.locator("#result_list tbody tr")


@pytest.mark.parametrize("scripts", [True, False])
def test_view_can_be_saved_opened_made_default_and_deleted(visit, admin, conversations, scripts):
    def steps(page: Page) -> list[str]:
        watch = Watch(page)
        page.goto(f"{LIST}?{DEMO}")
        page.get_by_text("Save this view").click()
        page.get_by_label("Name:").fill("Demo")
        follow(page.get_by_role("button", name="Save", exact=True))
        expect(page.get_by_text("was added successfully")).to_be_visible()
        expect(rows(page)).to_have_count(2)
        views = page.get_by_role("navigation", name="Saved views")
        follow(views.get_by_role("link", name="All conversations"))
        expect(rows(page)).to_have_count(3)
        follow(views.get_by_role("link", name="Demo"))
        expect(rows(page)).to_have_count(2)
        expect(views.get_by_role("link", name="Demo")).to_have_attribute("aria-current", "page")
        follow(views.get_by_role("link", name="Rename, share or make default"))
        page.get_by_label("Name:").fill("Renamed")
        page.get_by_label("Default").check()
        page.get_by_label("Shared").check()
        follow(page.get_by_role("button", name="Save", exact=True))
        page.goto(LIST)
        expect(rows(page)).to_have_count(2)
        expect(views.get_by_role("link", name="Renamed")).to_be_visible()
        follow(views.get_by_role("link", name="Delete"))
        follow(page.get_by_role("button", name="Yes, I\u2019m sure"))
        page.goto(LIST)
        expect(rows(page)).to_have_count(3)
        return watch.problems

    assert visit(steps, as_user=admin, java_script_enabled=scripts) == []
    assert not SavedView.objects.exists()


def test_filtered_list_can_be_downloaded(visit, admin, conversations):
    def steps(page: Page) -> tuple[str, str, list[str]]:
        watch = Watch(page)
        page.goto(f"{LIST}?{DEMO}")
        page.get_by_role("link", name="Export results").click()
        expect(page.get_by_text("2 conversations")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        return download.value.suggested_filename, download.value.path().read_text(), watch.problems

    name, text, problems = visit(steps, as_user=admin)
    assert name.startswith("conversations-")
    assert name.endswith(".jsonl")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["id"] for line in lines if line["object"] == "conversation"] == [row.pk for row in conversations[1:]]
    assert problems == []


def test_conversation_can_be_downloaded_from_its_page(visit, admin, conversations):
    def steps(page: Page) -> tuple[str, list[str]]:
        watch = Watch(page)
        page.goto(LIST)
        follow(page.get_by_role("link", name=conversations[0].pk))
        follow(page.get_by_role("link", name="Export"))
        page.get_by_label("CSV, one row per item").check()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        return download.value.suggested_filename, watch.problems

    name, problems = visit(steps, as_user=admin)
    assert name.startswith(conversations[0].pk)
    assert name.endswith(".items.csv")
    assert problems == []


@pytest.mark.parametrize("scripts", [True, False])
def test_matching_conversations_are_deleted_after_typing_their_number(visit, admin, conversations, scripts):
    def steps(page: Page) -> list[str]:
        watch = Watch(page)
        page.goto(f"{LIST}?{DEMO}")
        page.get_by_role("link", name="Delete results…").click()
        page.get_by_label("Type the number 2 to confirm:").fill("3")
        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("Nothing was deleted")).to_be_visible()
        page.get_by_label("Type the number 2 to confirm:").fill("2")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Deleted 2 conversations.")).to_be_visible()
        return watch.problems

    assert visit(steps, as_user=admin, java_script_enabled=scripts) == []
    assert Conversation.objects.get() == conversations[0]


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_a_narrow_screen(visit, admin, conversations, views, color_scheme, pytestconfig):
    script = axe_script(pytestconfig.cache)

    def steps(page: Page) -> dict[str, object]:
        watch = Watch(page)
        results: dict[str, object] = {}
        for url in PAGES:
            page.goto(url)
            violations = list(watch.problems)
            page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
            wide = scrolls_sideways(page)
            results[url] = (violations, serious_violations(page, script), wide)
            watch.problems.clear()  # caused by axe itself
        return results

    results = visit(steps, as_user=admin, viewport={"width": 320, "height": 800}, color_scheme=color_scheme)
    assert results == {url: ([], [], False) for url in PAGES}
