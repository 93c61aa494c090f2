"""Open lists and transcripts ask for what is new."""

import re
from html import unescape

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.urls import reverse

from conversations.admin.live import MAX_COUNT
from conversations.models import AccessRecord, Conversation
from conversations.schema.items import validate_items

# The full-text index of MariaDB and MySQL finds committed rows only.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")
LIST_URL = reverse("admin:conversations_conversation_changelist")
ITEMS = validate_items([{"role": "user", "content": "hello"}])


def create(owner, **metadata) -> Conversation:
    return Conversation.objects.create_with_items(owner=owner, metadata=metadata, items=ITEMS)


def transcript_url(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])


def live_url(page) -> str:
    """Return the URL that the page asks for what is new, or ""."""
    match = re.search(r'data-live-url="([^"]*)" data-live-seconds="20"', page.content.decode())
    return unescape(match[1]) if match else ""


def test_transcript_counts_the_items_that_were_added(admin_client, alice):
    conversation = create(alice)
    url = live_url(admin_client.get(transcript_url(conversation)))
    assert admin_client.get(url).json() == {"count": 0, "text": "0 new"}
    for _ in range(3):
        conversation.add_items(items=ITEMS * 4)
    assert admin_client.get(url).json() == {"count": 12, "text": "12 new"}


def test_link_to_new_items_shows_them_after_earlier_ones(admin_client, alice):
    conversation = create(alice)
    conversation.add_items(items=ITEMS * 19)
    html = admin_client.get(transcript_url(conversation)).content.decode()
    assert '<a href="?after=10#transcript" hidden></a>' in html
    conversation.add_items(items=ITEMS)
    html = admin_client.get(transcript_url(conversation), {"after": 10}).content.decode()
    assert re.findall(r'<li value="(\d+)">', html) == [str(number) for number in range(11, 22)]


def test_list_counts_new_conversations_that_match_its_filter(admin_client, alice):
    create(alice, topic="demo")
    url = live_url(admin_client.get(LIST_URL, {"q": "topic:demo"}))
    create(alice, topic="other")
    assert admin_client.get(url).json()["count"] == 0
    for _ in range(2):
        create(alice, topic="demo")
    assert admin_client.get(url).json() == {"count": 2, "text": "2 new"}


def test_empty_list_counts_all_that_is_new(admin_client, alice):
    url = live_url(admin_client.get(LIST_URL))
    create(alice)
    assert admin_client.get(url).json()["count"] == 1


def test_count_of_new_conversations_is_limited(admin_client, alice):
    url = live_url(admin_client.get(LIST_URL))
    for _ in range(MAX_COUNT + 1):
        Conversation.objects.create_with_items(owner=alice)
    assert admin_client.get(url).json() == {"count": MAX_COUNT, "text": "100+ new"}


def test_list_in_the_order_of_activity_counts_what_got_items(admin_client, alice):
    first, second = create(alice, topic="demo"), create(alice, topic="demo")
    other = create(alice, topic="other")
    url = live_url(admin_client.get(LIST_URL, {"o": "last_item", "q": "topic:demo"}))
    other.add_items(items=ITEMS)
    assert admin_client.get(url).json()["count"] == 0
    second.add_items(items=ITEMS)
    assert admin_client.get(url).json()["count"] == 1
    first.add_items(items=ITEMS)
    create(alice, topic="demo")
    assert admin_client.get(url).json() == {"count": 3, "text": "3 new"}
    url = live_url(admin_client.get(LIST_URL, {"o": "last_item", "q": "topic:none"}))
    create(alice, topic="none")
    assert admin_client.get(url).json()["count"] == 1


@pytest.mark.parametrize("query", ["o=title", "o=-last_item", "q=hello", "last=1", "created_from=x"])
def test_other_lists_do_not_ask(admin_client, alice, query):
    newest = create(alice)
    assert live_url(admin_client.get(f"{LIST_URL}?{query}")) == ""
    create(alice)
    url = reverse("admin:conversations_conversation_new", args=[quote(newest.pk)])
    assert admin_client.get(f"{url}?{query}").json()["count"] == 0


def test_setting_turns_asking_off(admin_client, alice, settings):
    settings.CONVERSATIONS_POLL_SECONDS = 0
    for url in (LIST_URL, transcript_url(create(alice))):
        html = admin_client.get(url).content.decode()
        assert "data-live-url" not in html


def test_asking_is_not_recorded(admin_client, alice):
    conversation = create(alice)
    urls = [live_url(admin_client.get(url)) for url in (LIST_URL, transcript_url(conversation))]
    AccessRecord.objects.all().delete()
    for url in urls:
        assert admin_client.get(url).status_code == 200
    assert not AccessRecord.objects.exists()


def test_asking_needs_the_permission_to_view(admin_client, staff_client, alice):
    conversation = create(alice)
    urls = [live_url(admin_client.get(url)) for url in (LIST_URL, transcript_url(conversation))]
    staff = staff_client("view_apikey")
    assert [staff.get(url).status_code for url in urls] == [403, 403]
    staff.logout()
    assert [staff.get(url).status_code for url in urls] == [302, 302]


def test_new_items_of_an_unknown_conversation_are_not_found(admin_client):
    url = reverse("admin:conversations_conversation_new_items", args=["conv_none", 1])
    assert admin_client.get(url).status_code == 404


@pytest.mark.parametrize("order", ["-title", "last_item"])
@pytest.mark.parametrize("newest", ["x", "conv_", "_00", "' OR 1=1", "2026-01-02", "9999-12-31T23:59:59+00:00"])
def test_any_id_or_time_is_answered(admin_client, newest, order):
    url = reverse("admin:conversations_conversation_new", args=[newest])
    assert admin_client.get(url, {"o": order}).json()["count"] == 0
