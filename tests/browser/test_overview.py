import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from tests.browser.axe import serious_violations
from tests.browser.watch import Watch
from tests.seed import seed_conversations

OVERVIEW = reverse("admin:conversations_overview")
FRONT_PAGE = reverse("admin:index")
NARROW = {"width": 320, "height": 800}


@pytest.fixture
def store(live_server, alice):
    for _ in seed_conversations(conversations=400, items_per=2, seed=1, start=timezone.localdate()):
        pass
    call_command("refresh_overview", verbosity=0)
    for _ in range(3):
        Conversation.create_with_items(owner=alice, metadata={"a-key-of-many-letters" * 3: "w" * 512})


@pytest.mark.parametrize("url", [OVERVIEW, f"{OVERVIEW}?days=90", FRONT_PAGE])
def test_overview_is_accessible_and_obeys_the_csp(admin_page: Page, store, live_server, url):
    watch = Watch(admin_page)
    admin_page.goto(url)
    for summary in admin_page.locator("main summary").all():
        summary.click()
    assert watch.problems == []
    assert watch.foreign_requests(live_server.url) == []
    # The page's policy does not apply to Playwright's own evaluation.
    assert serious_violations(admin_page) == []


@pytest.mark.parametrize("url", [OVERVIEW, FRONT_PAGE])
def test_overview_fits_a_narrow_screen(admin_page: Page, store, url):
    admin_page.set_viewport_size(NARROW)
    admin_page.goto(url)
    for summary in admin_page.locator("main summary").all():
        summary.click()
    assert admin_page.evaluate("document.documentElement.scrollWidth") == 320


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
