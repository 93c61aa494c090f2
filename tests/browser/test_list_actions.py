"""Saved views, exports and bulk deletions by mouse."""

import json

import pytest
from django.contrib.admin.utils import quote
from playwright.sync_api import Page, expect

from conversations.models import APIKey, Conversation, SavedView
from conversations.schema.items import validate_items
from tests.browser.axe import serious_violations
from tests.browser.list_page import title_link
from tests.browser.pages import WITHOUT_JAVASCRIPT, follow, scrolls_sideways
from tests.browser.watch import Watch

LIST = "/admin/conversations/conversation/"
LOOK = """buttons => buttons.map(button => [
    `${Math.round(button.offsetHeight)} ${getComputedStyle(button).font}`, getComputedStyle(button).backgroundColor
])"""
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
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": topic}, items=items)
        for topic in ("other", "demo", "demo")
    ]


@pytest.fixture
def views(admin_user, alice) -> None:
    query = f"{DEMO}&owner=alice"
    SavedView.objects.create(owner=admin_user, name="Demo of alice", query_string=query, is_default=True)
    SavedView.objects.create(owner=alice, name="w" * 100, query_string="", is_shared=True)


def test_actions_stand_in_one_line_on_a_small_desktop(admin_page: Page, conversations):
    admin_page.set_viewport_size({"width": 1280, "height": 800})
    admin_page.goto(f"{LIST}?owner=alice")
    counter = admin_page.locator(".action-counter").bounding_box()
    assert counter is not None
    for name in ("Export results", "Delete results…", "Erase person", "Overview"):
        link = admin_page.get_by_role("link", name=name).bounding_box()
        assert link is not None
        assert abs(link["y"] - counter["y"]) < counter["height"] / 2


def rows(page: Page):
    return page.locator("#result_list tbody tr")


@pytest.mark.parametrize("java_script_enabled", [True, pytest.param(False, marks=WITHOUT_JAVASCRIPT)])
def test_view_can_be_saved_opened_made_default_and_deleted(admin_page: Page, conversations, java_script_enabled):
    watch = Watch(admin_page)
    admin_page.goto(f"{LIST}?{DEMO}")
    admin_page.get_by_text("Save this view").click()
    admin_page.get_by_label("Name:").fill("Demo")
    follow(admin_page.get_by_role("button", name="Save", exact=True))
    expect(admin_page.get_by_text("was added successfully")).to_be_visible()
    expect(rows(admin_page)).to_have_count(2)
    views = admin_page.get_by_role("navigation", name="Saved views")
    follow(views.get_by_role("link", name="All conversations"))
    expect(rows(admin_page)).to_have_count(3)
    follow(views.get_by_role("link", name="Demo"))
    expect(rows(admin_page)).to_have_count(2)
    expect(views.get_by_role("link", name="Demo")).to_have_attribute("aria-current", "page")
    follow(views.get_by_role("link", name="Rename, share or make default"))
    admin_page.get_by_label("Name:").fill("Renamed")
    admin_page.get_by_label("Default").check()
    admin_page.get_by_label("Shared").check()
    follow(admin_page.get_by_role("button", name="Save", exact=True))
    admin_page.goto(LIST)
    expect(rows(admin_page)).to_have_count(2)
    expect(views.get_by_role("link", name="Renamed")).to_be_visible()
    follow(views.get_by_role("link", name="Delete"))
    follow(admin_page.get_by_role("button", name="Delete"))
    admin_page.goto(LIST)
    expect(rows(admin_page)).to_have_count(3)
    assert watch.problems == []
    assert not SavedView.objects.exists()


def test_filtered_list_can_be_downloaded(admin_page: Page, conversations):
    watch = Watch(admin_page)
    admin_page.goto(f"{LIST}?{DEMO}")
    admin_page.get_by_role("link", name="Export results").click()
    expect(admin_page.get_by_text("2 conversations")).to_be_visible()
    with admin_page.expect_download() as download:
        admin_page.get_by_role("button", name="Download").click()
    name = download.value.suggested_filename
    assert name.startswith("conversations-")
    assert name.endswith(".jsonl")
    lines = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert [line["id"] for line in lines if line["object"] == "conversation"] == [row.pk for row in conversations[1:]]
    assert watch.problems == []


def test_conversation_can_be_downloaded_from_its_page(admin_page: Page, conversations):
    watch = Watch(admin_page)
    admin_page.goto(LIST)
    follow(title_link(admin_page, conversations[0]))
    follow(admin_page.get_by_role("link", name="Export"))
    admin_page.get_by_label("CSV, one row per item").check()
    with admin_page.expect_download() as download:
        admin_page.get_by_role("button", name="Download").click()
    name = download.value.suggested_filename
    assert name.startswith(conversations[0].pk)
    assert name.endswith(".items.csv")
    assert watch.problems == []


@pytest.mark.parametrize("java_script_enabled", [True, pytest.param(False, marks=WITHOUT_JAVASCRIPT)])
def test_matching_conversations_are_deleted_after_typing_their_number(
    admin_page: Page, conversations, java_script_enabled
):
    watch = Watch(admin_page)
    admin_page.goto(f"{LIST}?{DEMO}")
    admin_page.get_by_role("link", name="Delete results…").click()
    admin_page.get_by_label("Type the number 2 to confirm:").fill("3")
    admin_page.get_by_role("button", name="Delete").click()
    expect(admin_page.get_by_text("Nothing was deleted")).to_be_visible()
    admin_page.get_by_label("Type the number 2 to confirm:").fill("2")
    admin_page.keyboard.press("Enter")
    expect(admin_page.get_by_text("Deleted 2 conversations.")).to_be_visible()
    assert watch.problems == []
    assert Conversation.objects.get() == conversations[0]


@pytest.mark.slow
def test_pages_are_accessible_and_fit_a_narrow_screen(admin_page: Page, conversations, views):
    admin_page.set_viewport_size({"width": 320, "height": 800})
    watch = Watch(admin_page)
    results: dict[str, object] = {}
    for url in PAGES:
        admin_page.goto(url)
        violations = list(watch.problems)
        admin_page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
        wide = scrolls_sideways(admin_page)
        results[url] = (violations, serious_violations(admin_page), wide)
        watch.problems.clear()  # caused by axe itself
    assert results == {url: ([], [], False) for url in PAGES}


def test_buttons_of_every_confirmation_look_alike(admin_page: Page, conversations, views, alice):
    key, _secret = APIKey.create(user=alice)
    pages = [
        f"{LIST}delete/?{DEMO}",
        f"{LIST}{quote(conversations[0].pk)}/delete/",
        f"{LIST}erase/?owner=alice",
        f"/admin/conversations/savedview/{SavedView.objects.earliest('pk').pk}/delete/",
        f"/admin/conversations/apikey/{key.pk}/revoke/",
    ]
    looks = set()
    for url in pages:
        admin_page.goto(url)
        buttons = admin_page.locator(".conversations-confirm > *")
        looks.add(tuple(map(tuple, buttons.evaluate_all(LOOK))))
    [(confirm, cancel)] = looks
    assert confirm[0] == cancel[0]
    assert confirm[1] != cancel[1]
