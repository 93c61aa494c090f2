"""Panels that other apps add to the page of a conversation and to the overview."""

import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.html import format_html

from conversations.admin import panels
from conversations.models import Conversation

TEXT = "<p>A panel for staff of conversation {}"


@pytest.fixture
def page(monkeypatch, alice):
    """The URL of the page of a conversation, to which an app adds a panel, and the HTML of the panel."""
    monkeypatch.setattr(panels, "_panels", [])
    conversation = Conversation.objects.create_with_items(owner=alice, items=[{"role": "user", "content": "Hello!"}])

    @panels.register_panel
    def panel(request, shown):
        return format_html(TEXT, shown.pk) if request.user.is_staff else ""

    panels.register_panel(lambda request, shown: "")
    url = reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])
    return url, TEXT.format(conversation.pk)


def test_panel_stands_above_the_transcript(admin_client, page):
    url, text = page
    html = admin_client.get(url).content.decode()
    assert html.count(text) == 1
    assert html.index(text) < html.index('id="transcript"')


def test_panel_is_for_staff_who_may_see_the_conversation_but_no_messages(staff_client, page, settings):
    settings.CONVERSATIONS_STAFF_CAN_READ_CONTENT = False
    url, text = page
    html = staff_client("view_conversation").get(url).content.decode()
    assert text in html
    assert 'id="transcript"' not in html


def test_panel_is_not_shown_to_staff_who_may_not_see_the_conversation(staff_client, page):
    url, text = page
    response = staff_client("view_apikey").get(url)
    assert response.status_code == 403
    assert text not in response.content.decode()


def test_panel_of_the_overview_gets_the_period_and_stands_among_its_charts(admin_client, monkeypatch, alice):
    monkeypatch.setattr(panels, "_overview_panels", [])

    @panels.register_overview_panel
    def panel(request, start, end):
        return format_html("<p>{} from {} to {}</p>", request.user, start.isoformat(), end.isoformat())

    dates = {"created_from": "2026-01-02", "created_to": "2026-01-03"}
    html = admin_client.get(reverse("admin:conversations_overview"), dates).content.decode()
    text = "<p>admin from 2026-01-02T00:00:00+00:00 to 2026-01-04T00:00:00+00:00</p>"
    assert html.index("Items per day") < html.index(text) < html.index("All time")
    filtered = admin_client.get(reverse("admin:conversations_overview"), {**dates, "owner": "alice"})
    assert text not in filtered.content.decode()
