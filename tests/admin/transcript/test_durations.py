from datetime import timedelta

import pytest
from django.utils import translation

from conversations.admin.transcript.durations import format_duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=0.04), "0 s"),
        (timedelta(seconds=0.42), "0.4 s"),
        (timedelta(seconds=2), "2 s"),
        (timedelta(seconds=9.96), "10 s"),
        (timedelta(seconds=19), "19 s"),
        (timedelta(seconds=59.6), "1 min 0 s"),
        (timedelta(minutes=3, seconds=20), "3 min 20 s"),
        (timedelta(hours=2, minutes=5, seconds=9), "2 h 5 min"),
        (timedelta(days=1, hours=3), "1 day 3 h"),
        (timedelta(days=1_200), "1,200 days 0 h"),
    ],
)
def test_durations_are_readable(duration, text):
    assert format_duration(duration) == text


def test_durations_are_translated():
    with translation.override("de"):
        assert format_duration(timedelta(days=2, hours=5)) == "2 Tage 5 Std."
        assert format_duration(timedelta(seconds=0.42)) == "0,4 s"
