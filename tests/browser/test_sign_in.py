"""Staff sign-in by an identity provider in a browser, under the admin's policy."""

import re
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect

from tests.browser.axe import serious_violations
from tests.browser.pages import WITHOUT_JAVASCRIPT, follow, scrolls_sideways
from tests.browser.watch import Watch
from tests.identity_provider import IdentityProvider, running_provider

LIST = "/admin/conversations/conversation/"
SIGN_IN = "Sign in with your organization's account"

LINES_OVERLAP = "document.querySelector('.conversations-sign-in .button').getClientRects().length > 1"


@pytest.fixture
def provider(live_server, settings) -> Iterator[IdentityProvider]:
    call_command("create_conversation_groups", verbosity=0)
    with running_provider() as provider:
        for name, value in provider.settings.items():
            setattr(settings, name, value)
        settings.OIDC_GROUPS = {"support": "Conversation readers"}
        settings.PASSWORD_LOGIN = False
        backends = ["axes.backends.AxesStandaloneBackend", "project.sign_in.accounts.ProviderBackend"]
        settings.AUTHENTICATION_BACKENDS = backends
        provider.claims = {"sub": "1", "preferred_username": "ann", "groups": ["support"]}
        yield provider


def sign_in_and_out(page: Page, provider: IdentityProvider) -> None:
    watch = Watch(page)
    page.goto(LIST)
    expect(page.get_by_label("Password")).to_have_count(0)
    follow(page.get_by_role("link", name=SIGN_IN))
    expect(page).to_have_url(re.compile(f"{LIST}$"))
    expect(page.locator("#user-tools")).to_contain_text("ann")
    follow(page.get_by_role("button", name="Log out"))
    follow(page.get_by_role("link", name="Sign out of your organization's account"))
    expect(page).to_have_url(re.compile(f"^{provider.issuer}/logout"))
    page.goto(LIST)
    expect(page.get_by_role("link", name=SIGN_IN)).to_be_visible()
    assert [problem for problem in watch.problems if "VIOLATION" in problem or "Security Policy" in problem] == []


def test_staff_sign_in_and_out_at_their_provider(page: Page, provider):
    sign_in_and_out(page, provider)


@WITHOUT_JAVASCRIPT
def test_staff_sign_in_and_out_without_javascript(page: Page, provider):
    sign_in_and_out(page, provider)


def test_pages_of_the_sign_in_are_accessible_and_fit_a_narrow_screen(page: Page, provider, live_server):
    page.set_viewport_size({"width": 320, "height": 800})
    provider.claims["groups"] = []
    watch = Watch(page)
    page.goto("/admin/")
    own = live_server.url
    assert watch.foreign_requests(own) == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto("/admin/")
        assert not scrolls_sideways(page)
        assert serious_violations(page) == []
        assert page.evaluate(LINES_OVERLAP) is False
        follow(page.get_by_role("link", name=SIGN_IN))
        expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()
        assert "none of the groups" in page.locator("#content").inner_text()
        assert not scrolls_sideways(page)
        assert serious_violations(page) == []
        follow(page.get_by_role("link", name="Back to the login page"))
    provider.claims["groups"] = ["support"]
    follow(page.get_by_role("link", name=SIGN_IN))
    follow(page.get_by_role("button", name="Log out"))
    assert not scrolls_sideways(page)
    assert serious_violations(page) == []
