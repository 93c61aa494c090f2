import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.chromium import ARGUMENTS, find_chromium

TIMEOUT = 60_000  # milliseconds; other tests may keep the machine busy
expect.set_options(timeout=TIMEOUT)


@pytest.fixture(scope="session")
def live_server(django_db_setup: None, live_server: LiveServer) -> LiveServer:
    """Create the server after the database, because its threads share the connection to a database in memory."""
    return live_server


@pytest.fixture(scope="package")
def playwright(django_db_setup: None) -> Iterator[Playwright]:
    """Playwright, as long as tests of this folder run: its event loop would disturb the other tests of the process.

    Where an event loop is running, Django refuses database access, and opens other connections than elsewhere. All
    threads of these tests need the same connection, because SQLite's database is in memory.
    """
    opened = connections.all(initialized_only=True)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        for connection in opened:
            connections[connection.alias] = connection
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright, browser_type_launch_args: dict[str, Any]) -> Iterator[Browser]:
    executable = find_chromium()
    if not executable and not Path(playwright.chromium.executable_path).exists() and os.environ.get("CI") != "true":
        pytest.skip("no browser: run `apt-get install chromium` or `playwright install chromium`")
    options = {**browser_type_launch_args, "executable_path": executable, "args": ARGUMENTS}
    with playwright.chromium.launch(**options) as browser:
        yield browser


@pytest.fixture(scope="package")
def browser_context_args(live_server: LiveServer) -> dict[str, Any]:
    return {"base_url": live_server.url}


@pytest.fixture
def context(context: BrowserContext) -> BrowserContext:
    context.set_default_timeout(TIMEOUT)
    return context


@pytest.fixture
def log_in(context: BrowserContext, live_server: LiveServer) -> Callable[[User], None]:
    """Return a function that logs a user in to the browser."""

    def log_in(user: User) -> None:
        client = Client()
        client.force_login(user)
        session = client.cookies[settings.SESSION_COOKIE_NAME]
        context.add_cookies([{"name": session.key, "value": session.value, "url": live_server.url}])

    return log_in


@pytest.fixture
def admin_page(page: Page, admin_user: User, log_in: Callable[[User], None]) -> Page:
    """A page in a new browser profile in which `admin_user` is logged in."""
    log_in(admin_user)
    return page
