"""Accessibility, layout and Content-Security-Policy of every page of the admin, in a browser."""

import re
from datetime import date

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from playwright.sync_api import Page

from conversations.models import Conversation
from tests.admin_pages import PREVIEWS, add_other_rows, list_pages, other_pages, transcript_pages
from tests.browser.axe import serious_violations
from tests.browser.watch import Watch
from tests.seed import seed_conversations

LIST = "/admin/conversations/conversation/"
NARROW = {"width": 320, "height": 800}
INLINE = "script:not([src]):not([type='application/json']), style, [onclick], [onload], [onsubmit], [onchange], "
INLINE += "[style]:not(.calendarbox, .clockbox)"  # Django's scripts set the position of these two.
NO_PAGES = ("item", "suggested keys", "suggested values")  # a download, and JSON
SAME_LOOK = re.compile(r", (deep|last|by \w+|of an? \w+)$| of a search$")


@pytest.fixture(params=["lists", "transcripts", "other"])
def pages(request, live_server, admin_user) -> dict[str, str]:
    """The URLs of the pages by name, of each page only the variants that look different."""
    for _ in seed_conversations(conversations=12, items_per=4, seed=1, start=date(2026, 1, 1)):
        pass
    add_other_rows(admin_user, User.objects.get(username="seed-0001"), count=5)
    call_command("refresh_overview", verbosity=0)
    empty = Conversation.objects.create_with_items(owner=admin_user)
    match request.param:
        case "lists":
            variants = ("plain", "is, none", "three conditions", "contains", "typed", "text, rare", "wrong")
            pages = {"previews": f"{LIST}?{PREVIEWS}"}
            pages |= {name: url for name, url in list_pages().items() if name.removeprefix("list: ") in variants}
            assert len(pages) == len(variants) + 1
        case "transcripts":
            pages = {"empty conversation": f"{LIST}{empty.pk}/change/", **transcript_pages()}
        case "other":
            pages = other_pages()
            assert len(pages) > 30
    excluded = {*NO_PAGES, *filter(SAME_LOOK.search, pages)}
    return {name: url for name, url in pages.items() if name not in excluded}


@pytest.mark.slow
def test_every_admin_page_is_accessible_fits_a_narrow_screen_and_obeys_the_csp(admin_page: Page, pages, live_server):
    admin_page.set_viewport_size(NARROW)
    watch = Watch(admin_page)
    faults = {}
    for name, url in pages.items():
        admin_page.goto(url)
        admin_page.evaluate("document.querySelectorAll('main details').forEach(details => { details.open = true; })")
        width = admin_page.evaluate("document.documentElement.scrollWidth")
        faults[name] = [
            *([] if admin_page.title().endswith("| Conversations") else ["title"]),
            *([] if width == NARROW["width"] else [f"{width} px wide"]),
            *admin_page.locator(INLINE).evaluate_all(
                "elements => elements.map(element => 'inline: ' + element.outerHTML)"
            ),
            *watch.problems,
            *watch.foreign_requests(live_server.url),
            *serious_violations(admin_page),
        ]
        watch.problems.clear()  # axe violates the policy itself.
    assert {name: page_faults for name, page_faults in faults.items() if page_faults} == {}
