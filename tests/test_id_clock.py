import time
from datetime import timedelta

import pytest
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.backends.signals import connection_created
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLiteConnection

from conversations import id_clock, ids
from conversations.models import Conversation

HOUR = 3600


def store(owner, *, seconds, fraction=0, created_at=None):
    """Store a conversation that was created at a time relative to now, and return its id."""
    now = int(time.time()) + seconds
    conversation_id = f"conv_{now:08x}{fraction:08x}" + "f" * 32
    created_at = created_at or ids.created_at(conversation_id)
    Conversation(id=conversation_id, owner=owner, created_at=created_at).save()
    return conversation_id


def test_new_conversations_sort_after_stored_ones_when_the_clock_was_set_back(alice):
    newest = store(alice, seconds=HOUR, fraction=999_999_999)
    store(alice, seconds=-HOUR)
    assert Conversation.objects.create_with_items(owner=alice).pk < newest
    id_clock.advance(using="default")
    first, second = (Conversation.objects.create_with_items(owner=alice) for _ in range(2))
    assert newest < first.pk < second.pk
    assert [row.pk for row in Conversation.objects.page(limit=9, order="asc", after=newest).rows] == [
        first.pk,
        second.pk,
    ]
    assert first.created_at - Conversation.objects.get(pk=newest).created_at < timedelta(seconds=HOUR)


def test_clock_that_is_right_stays_so(alice):
    store(alice, seconds=-HOUR)
    id_clock.advance(using="default")
    before = time.time()
    assert before <= ids.created_at(ids.new_id("conv_")).timestamp() + 0.001 <= time.time() + 0.002


@pytest.mark.parametrize("conversation_id", ["conv_z" + "0" * 47, "conv_ffffffff" + "0" * 40, "conv_1", "conv_a-b"])
def test_imported_ids_without_a_time_do_not_change_the_clock(alice, conversation_id):
    Conversation(id=conversation_id, owner=alice, created_at=ids.created_at(ids.new_id("conv_"))).save()
    before = store(alice, seconds=HOUR)
    id_clock.advance(using="default")
    assert before[:21] < ids.new_id("conv_") < ids.lower_bound("conv_", seconds=int(time.time()) + HOUR + 60)


def test_imported_ids_with_random_digits_do_not_change_the_clock(alice):
    for number in range(3):
        store(alice, seconds=(2 + number) * HOUR, created_at=ids.created_at(ids.new_id("conv_")))
    id_clock.advance(using="default")
    assert ids.new_id("conv_") < ids.lower_bound("conv_", seconds=int(time.time()) + HOUR)


def test_new_connection_of_the_service_advances_the_clock(alice):
    newest = store(alice, seconds=HOUR)
    id_clock.follow_database()
    try:
        connection_created.send(type(connection), connection=connection)  # A database in memory has one connection.
    finally:
        connection_created.disconnect(dispatch_uid="conversations.id_clock")
    assert ids.new_id("conv_") > newest


def test_first_connection_to_a_new_database_looks_for_no_ids(tmp_path, django_db_blocker):
    settings = {**connection.settings_dict, "ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "new.sqlite3"}
    new = SQLiteConnection({**settings, "OPTIONS": {}}, DEFAULT_DB_ALIAS)
    id_clock.follow_database()
    try:
        with django_db_blocker.unblock():
            assert new.introspection.table_names() == []
    finally:
        connection_created.disconnect(dispatch_uid="conversations.id_clock")
        new.close()
