"""Open the admin's pages in a project with django-unfold, in a browser. A test runs this in a process of its own."""

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
        assert "content-security-policy" not in response.headers
        assert watch.problems == [], (name, watch.problems)
        expect(page.get_by_role("link", name="Deleted conversations").first).to_be_visible()

    page.goto(pages["conversation_changelist"])
    page.locator("summary", has_text="Filter").click()
    page.get_by_role("combobox", name="Key:").fill("topic")
    page.get_by_role("combobox", name="Value:").fill("other")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("No conversations match.")).to_be_visible()
    page.get_by_role("link", name="Demos").click()
    page.locator("[data-row]").first.click()
    expect(page.get_by_text("Hello you!")).to_be_visible()
    for name in ("export", "history"):
        expect(page.locator(f'a[href*="/{name}/"]')).to_have_count(1)
    page.get_by_role("button", name="Expand all").click()
    page.get_by_text(person.email).first.click()  # opens the menu of django-unfold, which is Alpine's
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    assert watch.problems == []
