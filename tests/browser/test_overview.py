import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from conversations.admin.overview.view import OverviewView
from conversations.models import Conversation
from conversations.schema.items import validate_items
from tests.browser.axe import serious_violations
from tests.browser.watch import Watch
from tests.seed import seed_conversations

OVERVIEW = reverse("admin:conversations_overview")
FRONT_PAGE = reverse("admin:index")
FILTERED = f"{OVERVIEW}?metadata_key=channel&metadata_operator=eq&metadata_value=web&days=7"
NARROW = {"width": 320, "height": 800}
FAILED_CALL = validate_items(
    [
        {"type": "function_call", "call_id": "call_1", "name": "find_order", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "error: none"},
    ]
)


@pytest.fixture
def store(live_server, alice, monkeypatch):
    monkeypatch.setattr(OverviewView, "max_seconds", 600)
    for _ in seed_conversations(conversations=400, items_per=2, seed=1, start=timezone.localdate()):
        pass
    call_command("refresh_overview", verbosity=0)
    for _ in range(3):
        Conversation.objects.create_with_items(
            owner=alice, metadata={"a-key-of-many-letters" * 3: "w" * 512}, items=FAILED_CALL
        )


@pytest.mark.slow
@pytest.mark.parametrize("url", [OVERVIEW, f"{OVERVIEW}?days=90", FILTERED, FRONT_PAGE])
def test_overview_is_accessible_and_obeys_the_csp(admin_page: Page, store, live_server, url):
    watch = Watch(admin_page)
    admin_page.goto(url)
    for summary in admin_page.locator("main summary").all():
        summary.click()
    assert watch.problems == []
    assert watch.foreign_requests(live_server.url) == []
    # The page's policy does not apply to Playwright's own evaluation.
    assert serious_violations(admin_page) == []


def test_offer_to_keep_counting_is_accessible(admin_page: Page, store, monkeypatch):
    monkeypatch.setattr(OverviewView, "max_seconds", 0)
    admin_page.goto(FILTERED)
    expect(admin_page.get_by_role("link", name="Keep counting")).to_be_visible()
    assert serious_violations(admin_page) == []


@pytest.mark.parametrize("url", [OVERVIEW, FILTERED, FRONT_PAGE])
def test_overview_fits_a_narrow_screen(admin_page: Page, store, url):
    admin_page.set_viewport_size(NARROW)
    admin_page.goto(url)
    for summary in admin_page.locator("main summary").all():
        summary.click()
    assert admin_page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("width", [1280, 1440])
def test_bar_of_a_failure_rate_stands_beside_its_figure(admin_page: Page, store, width):
    admin_page.set_viewport_size({"width": width, "height": 800})
    admin_page.goto(OVERVIEW)
    cell = admin_page.locator(".conversations-rate").first
    bar, figure = cell.locator("svg").bounding_box(), cell.locator("span").bounding_box()
    assert bar is not None
    assert figure is not None
    assert bar["x"] >= figure["x"] + figure["width"]
    assert bar["y"] < figure["y"] + figure["height"]


def test_bar_can_be_reached_by_keyboard_and_links_to_its_day(admin_page: Page, store):
    today = timezone.localdate()

    admin_page.goto(OVERVIEW)
    admin_page.get_by_role("link", name="90 days").focus()
    for _ in range(60):
        admin_page.keyboard.press("Tab")
        name = admin_page.evaluate("document.activeElement.getAttribute('aria-label')") or ""
        if name.endswith(": 3"):
            break
    assert admin_page.evaluate("document.activeElement.closest('svg').getAttribute('aria-label')").startswith(
        "Conversations per day: "
    )
    admin_page.keyboard.press("Enter")
    admin_page.wait_for_url(f"**/conversation/?created_from={today}&created_to={today}")
    expect(admin_page.locator("#result_list tbody tr")).to_have_count(3)


def test_whole_row_of_a_bar_links_to_its_list(admin_page: Page, store):
    admin_page.goto(OVERVIEW)
    admin_page.get_by_role("row", name="migrated_from").get_by_role("img").click(force=True)
    admin_page.wait_for_url("**metadata_key=migrated_from**")


def test_front_page_links_to_the_overview(admin_page: Page, store):
    admin_page.goto(FRONT_PAGE)
    expect(admin_page.get_by_role("heading", name="At a glance")).to_be_visible()
    admin_page.get_by_role("link", name="Overview").click()
    expect(admin_page.get_by_role("heading", name="Overview")).to_be_visible()
    admin_page.get_by_role("link", name="7 days").click()
    expect(admin_page.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")


def test_growth_of_the_week_is_one_click_from_the_front_page(admin_page: Page, store):
    admin_page.goto(FRONT_PAGE)
    expect(admin_page.get_by_text("in the 7 days before")).to_be_visible()
    admin_page.get_by_role("link", name="Overview").click()
    expect(admin_page.get_by_text("in the 7 days before")).to_have_count(3)
    expect(admin_page.get_by_text("Today is not over.")).to_have_count(3)


def test_filter_and_period_are_chosen_with_the_mouse(admin_page: Page, store):
    admin_page.goto(OVERVIEW)
    admin_page.get_by_text("Filter", exact=True).click()
    admin_page.get_by_role("combobox", name="Key:").fill("channel")
    admin_page.get_by_role("combobox", name="Value:").fill("web")
    admin_page.get_by_role("button", name="Apply").click()
    expect(admin_page.get_by_role("link", name="Remove channel is “web”")).to_be_visible()
    expect(admin_page.get_by_role("heading", name="Conversations per day")).to_be_visible()
    admin_page.get_by_role("link", name="7 days").click()
    expect(admin_page.get_by_role("heading", name="The last 7 days")).to_be_visible()
    expect(admin_page.get_by_role("link", name="Remove channel is “web”")).to_be_visible()


def test_front_page_searches_conversations(admin_page: Page, store):
    admin_page.goto(FRONT_PAGE)
    admin_page.get_by_label("Search conversations").fill("@tool:find_order")
    admin_page.get_by_role("button", name="Search").click()
    expect(admin_page.locator("#result_list tbody tr")).to_have_count(3)


def test_recent_failure_opens_its_conversation(admin_page: Page, store):
    admin_page.goto(FRONT_PAGE)
    failures = admin_page.get_by_role("region", name="Recent failures")
    expect(failures.get_by_text("1 failed item")).to_have_count(3)
    failures.get_by_role("link", name="conv_").first.click()
    expect(admin_page.get_by_role("link", name="1 failed")).to_be_visible()
