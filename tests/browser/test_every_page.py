"""Accessibility, layout and Content-Security-Policy of every page of the admin, in a browser."""

import re
from datetime import date

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from tests.admin.walk import create_rows, read, requests, undone
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


class Inspection:
    """Collects the faults of pages that are as wide as a small phone."""

    def __init__(self, page: Page, own_url: str) -> None:
        self.page = page
        self.own_url = own_url
        self.watch = Watch(page)
        self.faults: dict[str, list[str]] = {}
        page.set_viewport_size(NARROW)

    def visit(self, name: str, url: str) -> None:
        response = self.page.goto(url)
        assert response is not None
        self.page.evaluate("document.querySelectorAll('main details').forEach(details => { details.open = true; })")
        width = self.page.evaluate("document.documentElement.scrollWidth")
        refused = f"the server responded with a status of {response.status}"  # Chromium reports it as an error.
        faults = [
            *([] if self.page.title().endswith("| Conversations") else ["title"]),
            *([] if width == NARROW["width"] else [f"{width} px wide"]),
            *self.page.locator(INLINE).evaluate_all(
                "elements => elements.map(element => 'inline: ' + element.outerHTML)"
            ),
            *(problem for problem in self.watch.problems if response.ok or refused not in problem),
            *self.watch.foreign_requests(self.own_url),
            *serious_violations(self.page),
        ]
        self.watch.problems.clear()  # axe violates the policy itself.
        if faults:
            self.faults[name] = faults


@pytest.fixture
def inspection(admin_page: Page, live_server) -> Inspection:
    return Inspection(admin_page, live_server.url)


@pytest.mark.slow
def test_every_admin_page_is_accessible_fits_a_narrow_screen_and_obeys_the_csp(inspection, pages):
    for name, url in pages.items():
        inspection.visit(name, url)
    assert inspection.faults == {}


@pytest.mark.slow
def test_answers_to_forms_and_pages_without_rows_are_accessible_too(inspection, admin_user, live_server, alice):
    """Serve what Django's test client gets, so that each form is answered with the same rows."""
    for model in ("conversation", "deletedconversation", "accessrecord", "apikey", "savedview", "retentionrule"):
        inspection.visit(f"empty list: {model}", reverse(f"admin:conversations_{model}_changelist"))
    for name in ("index", "conversations_overview"):
        inspection.visit(f"empty page: {name}", reverse(f"admin:{name}"))
    inspection.visit("not found", "/admin/unknown/")

    client = Client()
    client.force_login(admin_user)
    page_url = f"{live_server.url}/admin/inspected/"
    seen = set()
    for name, url, forms in requests(create_rows(alice, admin_user)):
        for form in ({}, *forms):
            with undone():
                response = client.post(url, form, follow=True) if form else client.get(url, follow=True)
                read(response)
            if not response["Content-Type"].startswith("text/html") or response.content in {b"", *seen}:
                continue
            seen.add(response.content)
            inspection.page.route(
                page_url,
                lambda route, *_, response=response: route.fulfill(
                    status=response.status_code, headers=dict(response.headers), body=response.content
                ),
            )
            inspection.visit(f"{name} {form.get('action', '')} {response.status_code}", page_url)
    assert inspection.faults == {}
    assert len(seen) > 60


@pytest.mark.slow
def test_login_is_accessible_and_fits_a_narrow_screen(page: Page, live_server):
    inspection = Inspection(page, live_server.url)
    inspection.visit("login", "/admin/login/")
    inspection.page.get_by_label("Username").fill("nobody")
    inspection.page.get_by_label("Password").fill("wrong")
    inspection.page.get_by_label("Password").press("Enter")
    expect(inspection.page.get_by_text("Please enter the correct username and password")).to_be_visible()
    assert serious_violations(inspection.page) == []
    assert inspection.faults == {}
