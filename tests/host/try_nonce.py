"""Open the admin's pages under a project's own policy, in a browser. A test runs this in a process of its own."""

import re

import django

django.setup()

from django.core.management import call_command
from playwright.sync_api import expect

from tests.host.admin_browser import browse_as, create_rows

call_command("migrate", run_syncdb=True, verbosity=0)
call_command("check", fail_level="WARNING")
person, pages = create_rows()

with browse_as(person) as (page, watch):
    for name, url in pages.items():
        response = page.goto(url)
        assert response.ok, name
        assert re.search(
            "script-src 'nonce-[^']+'; style-src 'nonce-[^']+';", response.headers["content-security-policy"]
        )
        assert watch.problems == [], (name, watch.problems)

    page.goto(pages["conversation_changelist"])
    page.locator("summary", has_text="Filter").click()
    page.get_by_role("combobox", name="Key:").fill("to")
    page.get_by_role("option", name="topic").click()
    page.get_by_role("button", name="Add condition").click()
    expect(page.get_by_role("combobox", name="Key:")).to_have_count(2)
    page.locator("[data-row]").first.click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert watch.problems == []
