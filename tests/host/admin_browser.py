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

from conversations.models import APIKey, Conversation, SavedView
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash
from tests.browser.watch import Watch
from tests.chromium import ARGUMENTS, find_chromium
from tests.host.people.models import Person


def create_rows() -> tuple[Person, Conversation]:
    """Create a superuser, a conversation of theirs that is listed, and a row for each other list of the admin."""
    person = Person.objects.create(email="ann@example.com", is_staff=True, is_superuser=True)
    APIKey.create(user=person)
    items = validate_items([{"role": "user", "content": "Hello **you**!"}])
    move_to_trash(Conversation.objects.create_with_items(owner=person, metadata={"topic": "old"}, items=items))
    conversation = Conversation.objects.create_with_items(owner=person, metadata={"topic": "demo"}, items=items)
    SavedView.objects.create(owner=person, name="Demos", query_string="q=topic:demo")
    call_command("refresh_overview", verbosity=0)
    return person, conversation


def find_pages(conversation: Conversation) -> dict[str, str]:
    """Return the URLs of the pages by name. Reading the transcript once creates a row of the access log."""
    pages = {"overview": reverse("admin:conversations_overview")}
    for name, model in {
        "conversations": "conversation",
        "access log": "accessrecord",
        "trash": "deletedconversation",
        "saved views": "savedview",
        "API keys": "apikey",
    }.items():
        pages[name] = reverse(f"admin:conversations_{model}_changelist")
    for page in ("change", "delete", "history", "export"):
        pages[f"conversation: {page}"] = reverse(f"admin:conversations_conversation_{page}", args=[conversation.pk])
    pages["new saved view"] = reverse("admin:conversations_savedview_add")
    pages["saved view"] = reverse("admin:conversations_savedview_change", args=[SavedView.objects.get().pk])
    pages["bulk deletion"] = f"{reverse('admin:conversations_conversation_bulk_deletion')}?q=topic:demo"
    pages["index of the app"] = reverse("admin:app_list", args=["conversations"])
    return pages


@contextmanager
def browse_as(person: Person) -> Iterator[tuple[Page, Watch]]:
    """Log the person in to a new browser, and yield a page with the server's URL as its base."""
    client = Client()
    client.force_login(person)
    session = client.cookies[settings.SESSION_COOKIE_NAME]
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
