import re
from datetime import UTC, date, datetime
from urllib.parse import parse_qsl

import pytest
from django.utils import timezone

from conversations import ids
from conversations.models import Conversation
from tests.admin.list.filtered_list import URL, create_demo, create_others, listed_ids


@pytest.fixture(autouse=True)
def conversations(alice, bob) -> None:
    create_demo(alice)
    create_others(alice, bob)


@pytest.fixture
def at_midnight_in_tokyo(alice, settings) -> list[str]:
    """Ids of conversations just before, at the start and end of, and just after 2 March in Tokyo, newest first."""
    settings.TIME_ZONE = "Asia/Tokyo"
    first = int(datetime(2026, 3, 1, 15, tzinfo=UTC).timestamp())
    rows = []
    for seconds in (first - 1, first, first + 86_399, first + 86_400):
        row = Conversation.objects.create_with_items(owner=alice)
        known_id = ids.compose_id(ids.CONVERSATION_PREFIX, nanoseconds=seconds * 10**9, bits=0)
        Conversation.objects.filter(pk=row.pk).update(id=known_id)
        rows.insert(0, known_id)
    return rows


def test_date_filters_cover_whole_days_in_the_project_time_zone(admin_client, at_midnight_in_tokyo):
    after, last, first, before = at_midnight_in_tokyo
    day = {"created_from": "2026-03-02", "created_to": "2026-03-02"}
    assert listed_ids(admin_client.get(URL, day)) == [last, first]
    assert listed_ids(admin_client.get(URL, {"created_to": "2026-03-02"})) == [last, first, before]
    assert listed_ids(admin_client.get(URL, {"created_from": "2026-03-03"}))[-1:] == [after]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize(("first", "last"), [("0001-01-01", "9999-12-31"), ("0001-01-02", "9999-12-30")])
def test_date_filters_accept_the_first_and_last_representable_days(admin_client, settings, zone, first, last):
    settings.TIME_ZONE = zone
    response = admin_client.get(URL, {"created_from": first, "created_to": last})
    assert len(listed_ids(response)) == 5


@pytest.mark.parametrize(
    ("language", "name", "label", "first", "last"),
    [
        ("en", "today", "Today", "2026-03-04", "2026-03-04"),
        ("en", "yesterday", "Yesterday", "2026-03-03", "2026-03-03"),
        ("en", "7_days", "Last 7 days", "2026-02-26", "2026-03-04"),
        ("en", "last_week", "Last week", "2026-02-22", "2026-02-28"),  # begins on a Sunday
        ("de", "last_week", "Letzte Woche", "2026-02-23", "2026-03-01"),
        ("en", "30_days", "Last 30 days", "2026-02-03", "2026-03-04"),
        ("en", "this_month", "This month", "2026-03-01", "2026-03-04"),
    ],
)
def test_period_replaces_the_dates_and_keeps_the_other_conditions(
    admin_client, monkeypatch, language, name, label, first, last
):
    monkeypatch.setattr(timezone, "localdate", lambda: date(2026, 3, 4))  # a Wednesday
    typed = {"q": "topic:demo", "owner": "alice", "metadata_key": "k", "metadata_operator": "eq", "metadata_value": "v"}
    dates = {"created_from": first, "created_to": last}
    headers = {"accept-language": language}
    response = admin_client.get(URL, {**typed, "created_from": "2020-01-01", "period": name}, headers=headers)
    assert dict(parse_qsl(response.url[1:])) == {**typed, **dates}
    html = admin_client.get(URL, dates, headers=headers).content.decode()
    assert re.findall(r'value="(\w+)" aria-current="true">([^<]*)</button>', html) == [(name, label)]


def test_period_keeps_what_it_cannot_understand(admin_client):
    response = admin_client.get(URL, {"q": "(", "created_from": "x", "period": "someday"})
    assert dict(parse_qsl(response.url[1:])) == {"q": "(", "created_from": "x"}
