import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from tests.browser.axe import axe_script, serious_violations
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("url", [OVERVIEW, f"{OVERVIEW}?days=90", FRONT_PAGE])
def test_overview_is_accessible_and_obeys_the_csp(visit, admin, store, request, live_server, url, scheme):
    script = axe_script(request.config.cache)

    def steps(page: Page):
        watch = Watch(page)
        page.goto(url)
        for summary in page.locator("main summary").all():
            summary.click()
        # The policy of the page does not apply to Playwright's own evaluation.
        return watch.problems, watch.foreign_requests(live_server.url), serious_violations(page, script)

    assert visit(steps, as_user=admin, color_scheme=scheme) == ([], [], [])


@pytest.mark.parametrize("url", [OVERVIEW, FRONT_PAGE])
def test_overview_fits_a_narrow_screen(visit, admin, store, url):
    def steps(page: Page):
        page.goto(url)
        for summary in page.locator("main summary").all():
            summary.click()
        return page.evaluate("document.documentElement.scrollWidth")

    assert visit(steps, as_user=admin, viewport=NARROW) == 320


def test_bar_can_be_reached_by_keyboard_and_links_to_its_day(visit, admin, store):
    today = timezone.localdate()

    def steps(page: Page) -> None:
        page.goto(OVERVIEW)
        page.get_by_role("link", name="90 days").focus()
        for _ in range(60):
            page.keyboard.press("Tab")
            name = page.evaluate("document.activeElement.getAttribute('aria-label')") or ""
            if name.endswith(": 3"):
                break
        assert page.evaluate("document.activeElement.closest('svg').getAttribute('aria-label')").startswith(
            "Conversations per day: "
        )
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/conversation/?created_from={today}&created_to={today}")
        expect(page.locator("#result_list tbody tr")).to_have_count(3)

    visit(steps, as_user=admin)


def test_whole_row_of_a_bar_links_to_its_list(visit, admin, store):
    def steps(page: Page) -> None:
        page.goto(OVERVIEW)
        page.get_by_role("row", name="migrated_from").get_by_role("img").click(force=True)
        page.wait_for_url("**metadata_key=migrated_from**")

    visit(steps, as_user=admin)


def test_front_page_links_to_the_overview(visit, admin, store):
    def steps(page: Page) -> None:
        page.goto(FRONT_PAGE)
        expect(page.get_by_role("heading", name="At a glance")).to_be_visible()
        page.get_by_role("link", name="Overview").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        page.get_by_role("link", name="7 days").click()
        expect(page.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")

    visit(steps, as_user=admin)
