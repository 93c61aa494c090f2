"""Accessibility, layout and Content-Security-Policy of every page of the admin, in a browser."""

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from playwright.sync_api import Page

from conversations.models import Conversation
from tests.admin_pages import PREVIEWS, add_other_rows, list_pages, other_pages, transcript_pages
from tests.browser.axe import axe_script, serious_violations
from tests.browser.watch import Watch
from tests.seed import seed_conversations

LIST = "/admin/conversations/conversation/"
NARROW = {"width": 320, "height": 800}
INLINE = "script:not([src]):not([type='application/json']), style, [onclick], [onload], [onsubmit], [onchange], "
INLINE += "[style]:not(.calendarbox, .clockbox)"  # Django's scripts set the position of these two.
NO_PAGES = ("item", "suggested keys", "suggested values")  # a download, and JSON


@pytest.fixture
def pages(live_server, admin) -> dict[str, str]:
    """The URLs of the pages by name. Of the conversation list, only the variants that look different."""
    for _ in seed_conversations(conversations=12, items_per=4, seed=1, start=date(2026, 1, 1)):
        pass
    add_other_rows(admin, User.objects.get(username="seed-0001"), count=5)
    call_command("refresh_overview", verbosity=0)
    empty = Conversation.create_with_items(owner=admin)
    lists = list_pages()
    variants = ("plain", "is, none", "three conditions", "contains", "typed", "text, rare", "wrong")
    pages = {
        **{f"list: {name}": lists[f"list: {name}"] for name in variants},
        "previews": f"{LIST}?{PREVIEWS}",
        "empty conversation": f"{LIST}{empty.pk}/change/",
        **transcript_pages(),
        **other_pages(),
    }
    excluded = {*NO_PAGES, *(name for name in pages if name.endswith((", deep", ", last")))}
    return {name: url for name, url in pages.items() if name not in excluded}


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_every_admin_page_is_accessible_fits_a_narrow_screen_and_obeys_the_csp(
    visit, admin, pages, live_server, request, color_scheme
):
    script = axe_script(request.config.cache)

    def steps(page: Page) -> dict[str, list[Any]]:
        watch = Watch(page)
        faults = {}
        for name, url in pages.items():
            page.goto(url)
            page.evaluate("document.querySelectorAll('main details').forEach(details => { details.open = true; })")
            width = page.evaluate("document.documentElement.scrollWidth")
            faults[name] = [
                *([] if page.title().endswith("| Conversations") else ["title"]),
                *([] if width == NARROW["width"] else [f"{width} px wide"]),
                *page.locator(INLINE).evaluate_all(
                    "elements => elements.map(element => 'inline: ' + element.outerHTML)"
                ),
                *watch.problems,
                *watch.foreign_requests(live_server.url),
                *serious_violations(page, script),
            ]
            watch.problems.clear()  # axe violates the policy itself.
        return faults

    faults = visit(steps, as_user=admin, viewport=NARROW, color_scheme=color_scheme)
    assert {name: page_faults for name, page_faults in faults.items() if page_faults} == {}
    assert len(faults) > 40
