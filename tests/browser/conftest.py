import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

TIMEOUT = 60_000  # milliseconds; other tests may keep the machine busy
expect.set_options(timeout=20_000)

Visit = Callable[..., Any]


@pytest.fixture(scope="session")
def browser_thread() -> Iterator[ThreadPoolExecutor]:
    """Thread for Playwright. Its event loop would make Django refuse database access in the test's thread."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        yield thread


@pytest.fixture(scope="session")
def chromium(browser_thread: ThreadPoolExecutor) -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None and os.environ.get("CI") != "true":
        pytest.skip("no Chromium found")
    playwright = browser_thread.submit(sync_playwright().start).result()
    launch = playwright.chromium.launch
    browser = browser_thread.submit(launch, executable_path=executable, args=FLAGS).result()
    yield browser
    browser_thread.submit(browser.close).result()
    browser_thread.submit(playwright.stop).result()


@pytest.fixture
def admin(live_server) -> User:
    return User.objects.create_superuser("admin", password="password")


@pytest.fixture
def visit(live_server, browser_thread, chromium) -> Visit:
    """Function that runs steps on a page in a new browser profile, optionally as a logged-in user."""

    def visit(steps: Callable[[Page], Any], *, as_user: User | None = None, **options: Any) -> Any:
        cookies = []
        if as_user is not None:
            client = Client()
            client.force_login(as_user)
            value = client.cookies[settings.SESSION_COOKIE_NAME].value
            cookies = [{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": live_server.url}]

        def run() -> Any:
            context = chromium.new_context(base_url=live_server.url, **options)
            context.set_default_timeout(TIMEOUT)
            context.add_cookies(cookies)
            try:
                return steps(context.new_page())
            finally:
                context.close()

        return browser_thread.submit(run).result()

    return visit
