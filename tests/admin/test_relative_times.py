from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.utils import timezone, translation

from conversations.admin.times import format_relative_time, format_time

NOW = datetime(2026, 3, 4, 18, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (timedelta(), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=5, seconds=30), "5 min ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=6, hours=23), "6 days ago"),
        (timedelta(days=7), "Feb. 25, 2026"),
        (-timedelta(seconds=1), "in a moment"),
        (-timedelta(minutes=2), "in 2 min"),
        (-timedelta(hours=3), "in 3 h"),
        (-timedelta(days=1), "in 1 day"),
        (-timedelta(days=2), "in 2 days"),
        (-timedelta(days=40), "April 13, 2026"),
    ],
)
def test_relative_time_has_the_exact_time_on_hover(monkeypatch, distance, text):
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    moment = NOW - distance
    with translation.override("en"):
        html = format_relative_time(moment)
    expected = f'<time datetime="{moment.isoformat()}" title="{moment:%Y-%m-%d %H:%M:%S} UTC">{text}</time>'
    assert unescape(html) == expected


def test_missing_time_is_empty():
    assert format_relative_time(None) == format_time(None) == ""


@pytest.mark.parametrize(
    ("language", "text"), [("en", "March 4, 2026, 18:30"), ("de", "4. März 2026, 18:30"), ("ar", "4 مارس، 2026, 18:30")]
)
def test_exact_time_has_a_clock_of_24_hours_in_every_language(language, text):
    with translation.override(language):
        assert f">{text}</time>" in format_time(NOW)
