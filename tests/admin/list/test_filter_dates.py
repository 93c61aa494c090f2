import re
from datetime import UTC, datetime
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
        row = Conversation.create_with_items(owner=alice)
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


def test_date_range_links_keep_the_other_filters(admin_client):
    response = admin_client.get(URL, {"owner": "alice", "created_from": "2020-01-01", "created_to": "2020-01-02"})
    today = timezone.localdate()
    presets = {name: dict(parse_qsl(url[1:])) for name, url, _ in response.context["cl"].form.presets}
    assert presets["Today"] == {"owner": "alice", "created_from": str(today), "created_to": str(today)}
    assert presets["This month"]["created_from"] == str(today.replace(day=1))
    assert list(presets) == ["Today", "Last 7 days", "Last 30 days", "This month"]
    html = admin_client.get(URL, presets["Last 7 days"]).content.decode()
    assert re.search(r'aria-current="true">Last 7 days</a>', html)
    assert len(listed_ids(admin_client.get(URL, presets["Last 7 days"]))) == 4
