"""Open the app's admin pages of a host project in Chromium."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from conversations.models import Conversation, SavedView
from conversations.schema.items import validate_items
from tests.admin import walk
from tests.browser.watch import Watch
from tests.chromium import ARGUMENTS, find_chromium
from tests.host.people.models import Person


def create_rows() -> tuple[Person, dict[str, str]]:
    """Create a superuser and rows for the admin, and return the superuser and the URLs of the HTML pages by name."""
    person = Person.objects.create(email="ann@example.com", is_staff=True, is_superuser=True)
    items = validate_items([{"role": "user", "content": "Hello **you**!"}])
    SavedView.objects.create(owner=person, name="Demos", query_string="q=topic:demo")
    arguments = walk.create_rows(person, person)
    Conversation.objects.create_with_items(owner=person, metadata={"topic": "demo"}, items=items)
    call_command("refresh_overview", verbosity=0)
    client = log_in(person)
    searched = "?q=topic:demo"
    pages = {
        "index of the app": reverse("admin:app_list", args=["conversations"]),
        "search": reverse("admin:conversations_conversation_changelist") + searched,
        "bulk deletion of a search": reverse("admin:conversations_conversation_bulk_deletion") + searched,
    }
    for name, url, _forms in walk.requests(arguments):
        response = client.get(url, follow=True)
        assert response.status_code in (200, 403, 405), name  # Some pages are for nobody, or only for forms.
        if response.status_code == 200 and response["Content-Type"].startswith("text/html"):
            pages[name] = url
    return person, pages


def log_in(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


@contextmanager
def browse_as(person: Person) -> Iterator[tuple[Page, Watch]]:
    """Log the person in to a new browser, and yield a page with the server's URL as its base."""
    session = log_in(person).cookies[settings.SESSION_COOKIE_NAME]
    server = LiveServer("localhost")
    settings.ALLOWED_HOSTS.append("localhost")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # The loop of Playwright runs in this thread.
    try:
        with (
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS) as browser,
        ):
            context = browser.new_context(base_url=server.url, viewport={"width": 1600, "height": 900})
            context.add_cookies([{"name": session.key, "value": session.value, "url": server.url}])
            page = context.new_page()
            yield page, Watch(page)
    finally:
        server.stop()
