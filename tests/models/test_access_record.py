import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connections
from django.utils import timezone

from conversations.models import AccessRecord
from conversations.models.access_record import MAX_USERNAME_LENGTH

READ, EXPORT, SEARCH, *_ = AccessRecord.Action


def test_read_record_names_the_user_time_and_conversation(alice):
    before = timezone.now()
    AccessRecord.objects.record(user=alice, action=READ, conversation_id="conv_1")
    record = AccessRecord.objects.get()
    assert (record.user, record.username, record.action, record.conversation_id) == (alice, "alice", READ, "conv_1")
    assert before <= record.created_at <= timezone.now()
    assert str(record) == "alice: read conv_1"


def test_export_record_names_the_filter_and_the_number(alice):
    AccessRecord.objects.record(user=alice, action=EXPORT, query="topic:demo", conversation_count=1_000_000)
    record = AccessRecord.objects.get()
    assert (record.query, record.conversation_count, record.conversation_id) == ("topic:demo", 1_000_000, "")
    assert str(record) == "alice: export"


def test_conversation_count_is_completed_only_once(alice):
    record = AccessRecord.objects.record(user=alice, action=EXPORT, query="topic:demo")
    assert record.conversation_count is None
    record.complete(conversation_count=3)
    record.complete(conversation_count=4)
    assert record.conversation_count == AccessRecord.objects.get().conversation_count == 3


def test_username_outlives_the_user(alice):
    record = AccessRecord.objects.record(user=alice, action=READ, conversation_id="conv_1")
    alice.delete()
    record.refresh_from_db()
    assert (record.user, record.username) == (None, "alice")


def test_too_long_username_is_truncated(db):
    user = User(pk=None, username="ü" * 300)
    record = AccessRecord.objects.record(user=user, action=READ)
    record.refresh_from_db()
    assert record.username == "ü" * MAX_USERNAME_LENGTH


def test_anonymous_user_is_recorded(db):
    assert AccessRecord.objects.record(user=AnonymousUser(), action=READ).user is None


@pytest.mark.parametrize("column", ["username", "action", "conversation_id"])
def test_every_filter_has_an_index_in_id_order(db, column):
    connection = connections[AccessRecord.objects.db]
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, AccessRecord._meta.db_table)
    assert [column, "id"] in [each["columns"] for each in constraints.values() if each["index"]]
