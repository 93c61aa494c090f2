"""The indexed columns that PostgreSQL generates, and the values that conditions compare with them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.expressions import RawSQL

from conversations.db.hints import MAX_INTEGER, item_count_step, start_of_hour
from conversations.models import Conversation

MOMENTS = [
    datetime(2, 1, 1, tzinfo=UTC),
    datetime(1999, 12, 31, 23, tzinfo=UTC),
    datetime(2026, 3, 29, 2, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 29, 3, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC),
]
COUNTS = [0, 1, 3, 4, 15, 16, 42, 43, 91, 92, 166, 167, 10_000, MAX_INTEGER - 1, MAX_INTEGER]


def test_steps_grow_with_the_number():
    assert [item_count_step(count) for count in COUNTS[:12]] == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert item_count_step(10**30) == item_count_step(MAX_INTEGER)


if connection.vendor == "postgresql":

    @pytest.mark.parametrize("moment", MOMENTS, ids=str)
    def test_start_of_hour_is_the_column(alice, moment):
        conversation = Conversation.objects.create_with_items(owner=alice)
        rows = Conversation.objects.filter(pk=conversation.pk)
        rows.update(last_item_at=moment)
        assert rows.values_list(RawSQL("active_hour", ()), flat=True).get() == start_of_hour(moment)

    @pytest.mark.parametrize("count", COUNTS)
    def test_item_count_step_is_the_column(alice, count):
        conversation = Conversation.objects.create_with_items(owner=alice)
        rows = Conversation.objects.filter(pk=conversation.pk)
        rows.update(item_count=count, last_position=F("item_count"))
        assert rows.values_list(RawSQL("item_count_step", ()), flat=True).get() == item_count_step(count)
