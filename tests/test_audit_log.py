"""Each change that staff, a command or a periodic task makes has an entry in the access log: who, when and what."""

import io
from datetime import timedelta

import pytest
from django.contrib.admin.utils import quote
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.urls import reverse
from django.utils import timezone

from conversations.admin.metadata.form import metadata_digest
from conversations.deletion import delete_conversation
from conversations.management.periodic import TASKS
from conversations.models import AccessRecord, APIKey, Conversation, DeletedConversation
from conversations.trash import move_to_trash
from tests.admin.actions.bulk_delete_page import bulk_delete_url, confirm
from tests.api.conftest import APIClient

ACTION = AccessRecord.Action
# Batches of a purge and of a bulk deletion are durable transactions of their own.
pytestmark = pytest.mark.django_db(transaction=True)


def create(owner, **metadata):
    items = [{"role": "user", "content": "Hello!"}]
    return Conversation.objects.create_with_items(owner=owner, metadata=metadata, items=items)


def entries(action):
    """Return user, username, conversation, filter and number of each entry of this action."""
    records = AccessRecord.objects.filter(action=action).order_by("pk")
    return [(row.user, row.username, row.conversation_id, row.query, row.conversation_count) for row in records]


def admin_url(model, page, *args):
    return reverse(f"admin:conversations_{model}_{page}", args=args)


def run_command(name, *args, **options):
    call_command(name, *args, stdout=io.StringIO(), stderr=io.StringIO(), **options)


def age_trash():
    DeletedConversation.objects.update(deleted_at=timezone.now() - timedelta(days=400))


def test_deletion_restore_and_purge_in_the_admin_have_an_entry(admin_client, admin_user, alice):
    row = create(alice)
    before = timezone.now()
    admin_client.post(admin_url("conversation", "delete", quote(row.pk)), {"post": "yes"})
    admin_client.post(admin_url("deletedconversation", "restore", DeletedConversation.objects.get().pk))
    move_to_trash(Conversation.objects.get())
    admin_client.post(admin_url("deletedconversation", "delete", DeletedConversation.objects.get().pk), {"post": "yes"})
    assert entries(ACTION.DELETE) == [(admin_user, "admin", row.pk, "", None)]
    assert entries(ACTION.RESTORE) == [(admin_user, "admin", row.pk, "", None)]
    assert entries(ACTION.PURGE) == [(admin_user, "admin", row.pk, "", 1)]
    assert all(before <= record.created_at <= timezone.now() for record in AccessRecord.objects.all())


def test_permanent_deletion_in_the_admin_has_an_entry(admin_client, admin_user, alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 0
    row = create(alice)
    admin_client.post(admin_url("conversation", "delete", quote(row.pk)), {"post": "yes"})
    assert entries(ACTION.DELETE) == [(admin_user, "admin", row.pk, "", None)]


def test_bulk_deletion_has_an_entry_with_filter_and_number_and_one_for_each_conversation(admin_client, alice):
    rows = [create(alice, topic="demo") for _ in range(3)]
    create(alice)
    url = bulk_delete_url({"q": "topic:demo"})
    confirm(admin_client, admin_client.get(url), url, "3")
    found = [(query, conversation_id, count) for _, _, conversation_id, query, count in entries(ACTION.DELETE)]
    assert sorted(found) == sorted([("topic:demo", "", 3), *(("", row.pk, None) for row in rows)])


def metadata_form(row: Conversation, **metadata: str) -> dict[str, object]:
    seen = metadata_digest(row.metadata)
    return {"metadata_key": [*metadata], "metadata_value": [*metadata.values()], "metadata_seen": seen}


def test_metadata_change_has_the_old_and_the_new_values(admin_client, admin_user, alice):
    row = create(alice, topic="old", tier="gold")
    admin_client.post(admin_url("conversation", "change", quote(row.pk)), metadata_form(row, topic="new", tier="gold"))
    [entry] = AccessRecord.objects.filter(action=ACTION.METADATA)
    assert (entry.user, entry.conversation_id) == (admin_user, row.pk)
    assert entry.details == {"old": {"topic": "old", "tier": "gold"}, "new": {"topic": "new", "tier": "gold"}}
    html = admin_client.get(admin_url("accessrecord", "changelist")).content.decode()
    assert "<b>topic</b>: “old” → “new”" in html
    assert "<b>tier</b>" not in html


def test_change_is_not_made_if_its_entry_cannot_be_stored(admin_client, alice):
    def refuse(execute, sql, *arguments):
        if sql.startswith("INSERT") and "accessrecord" in sql:
            raise DatabaseError("no space left")
        return execute(sql, *arguments)

    row = create(alice, topic="old")
    admin_client.raise_request_exception = False
    with connection.execute_wrapper(refuse):
        url = admin_url("conversation", "change", quote(row.pk))
        assert admin_client.post(url, metadata_form(row, topic="new")).status_code == 500
        url = admin_url("conversation", "delete", quote(row.pk))
        assert admin_client.post(url, {"post": "yes"}).status_code == 500
    assert Conversation.objects.get().metadata == {"topic": "old"}


def test_key_made_rotated_and_revoked_in_the_admin_has_an_entry_without_its_secret(admin_client, admin_user, alice):
    form = {"user": "alice", "name": "bot", "can_read": "on", "can_write": "on"}
    admin_client.post(admin_url("apikey", "add"), form)
    key = APIKey.objects.get()
    admin_client.post(reverse("admin:conversations_apikey_rotate", args=[key.pk]), {"overlap": 1})
    new = APIKey.objects.latest("pk")
    admin_client.post(admin_url("apikey", "changelist"), {"action": "revoke", "_selected_action": [key.pk]})
    admin_client.post(admin_url("apikey", "changelist"), {"action": "revoke", "_selected_action": [key.pk]})
    made, replaced, revoked = AccessRecord.objects.order_by("pk")
    assert {record.user for record in (made, replaced, revoked)} == {admin_user}
    assert (made.action, made.details) == ("key_created", {"key": key.prefix, "name": "bot", "user": "alice"})
    details = {"key": new.prefix, "name": "bot", "user": "alice", "replaces": key.prefix}
    assert (replaced.action, replaced.details) == ("key_created", details)
    assert (revoked.action, revoked.details["key"]) == ("key_revoked", key.prefix)


def test_commands_have_entries_with_their_names(alice):
    run_command("create_api_key", "alice")
    run_command("rotate_api_key", APIKey.objects.get().prefix)
    run_command("revoke_api_key", APIKey.objects.first().prefix)
    for _ in range(2):
        create(alice, topic="demo")
    run_command("delete_conversations", query="topic:demo", no_input=True)
    run_command("delete_conversations", query="topic:none", no_input=True)
    row = create(alice)
    move_to_trash(row)
    run_command("restore_conversations", DeletedConversation.objects.get().conversation_id)
    kept_id = Conversation.objects.get().pk
    move_to_trash(Conversation.objects.get())
    age_trash()
    run_command("purge_deleted_conversations")
    run_command("purge_deleted_conversations")
    rows = AccessRecord.objects.order_by("pk")
    values = rows.values_list("user", "username", "action", "conversation_id", "query", "conversation_count")
    assert list(values) == [
        (None, "manage.py create_api_key", "key_created", "", "", None),
        (None, "manage.py rotate_api_key", "key_created", "", "", None),
        (None, "manage.py revoke_api_key", "key_revoked", "", "", None),
        (None, "manage.py delete_conversations", "delete", "", "topic:demo", 2),
        (None, "manage.py delete_conversations", "delete", "", "topic:none", 0),
        (None, "manage.py restore_conversations", "restore", kept_id, "", None),
        (None, "manage.py purge_deleted_conversations", "purge", "", "", 1),
    ]


def test_periodic_purge_has_an_entry_only_if_it_purged_something(alice):
    [purge] = [task for task in TASKS if task.name == "purge"]
    list(purge.run())
    assert not AccessRecord.objects.exists()
    for _ in range(25):
        move_to_trash(create(alice))
    age_trash()
    list(purge.run())
    assert entries(ACTION.PURGE) == [(None, "periodic task: purge", "", "", 25)]


def test_interrupted_bulk_deletion_has_an_entry_with_the_number_that_it_reached(alice):
    from conversations.deletion import BulkDelete
    from conversations.models import RunRecord
    from conversations.schema.query.parser import parse_query

    for _ in range(120):
        create(alice, topic="demo")
    run_record = RunRecord(user="test", action=ACTION.DELETE, query="topic:demo")
    steps = iter(BulkDelete(Conversation.objects.all(), query=parse_query("topic:demo"), run_record=run_record))
    next(steps)
    del steps
    [(_, _, _, query, count)] = entries(ACTION.DELETE)
    assert (query, count) == ("topic:demo", 120 - Conversation.objects.count())
    assert 0 < count < 120


@pytest.mark.parametrize("way", ["API", "permanent deletion", "bulk deletion", "purge"])
def test_old_and_new_metadata_are_removed_with_the_conversation(alice, alice_secret, bob, way):
    row, other = create(alice, note="planted-1"), create(alice)
    for each in (row, other):
        each.replace_metadata({"note": "planted-2"}, changed_by=bob)
    if way == "API":
        assert APIClient(alice_secret).delete(f"/conversations/{row.pk}").status_code == 200
    elif way == "permanent deletion":
        delete_conversation(row)
    elif way == "bulk deletion":
        other.replace_metadata({}, changed_by=bob)
        run_command("delete_conversations", query="note:planted-2", no_input=True)
    else:
        move_to_trash(row)
        assert "planted-1" in str(list(AccessRecord.objects.values()))
        age_trash()
        run_command("purge_deleted_conversations")
    changes = AccessRecord.objects.filter(action=ACTION.METADATA).order_by("pk")
    assert changes[0].details is None
    assert changes[1].details == {"old": {}, "new": {"note": "planted-2"}}


def test_erasure_has_an_entry_with_its_receipt_that_names_nobody(alice, bob):
    create(alice, email="ann@example.com")
    move_to_trash(create(alice, email="ann@example.com"))
    create(bob).replace_metadata({"contact": "ann@example.com"}, changed_by=bob)
    run_command("erase_person", metadata=["email", "ann@example.com"], no_input=True)
    entry = AccessRecord.objects.get(action=ACTION.ERASURE)
    assert (entry.user, entry.username, entry.conversation_count) == (None, "manage.py erase_person", 2)
    assert entry.details["chosen by"] == ["metadata value"]
    assert (entry.details["conversations"], entry.details["items"], entry.details["deleted conversations"]) == (1, 1, 1)
    assert entry.details["finished"] >= entry.details["started"]
    assert "ann@example.com" not in str(list(AccessRecord.objects.values()))


def test_details_hold_no_secret(alice, alice_secret):
    AccessRecord.objects.record(user=alice, action=ACTION.METADATA, details={"old": {}, "new": {"key": alice_secret}})
    assert alice_secret not in str(AccessRecord.objects.get().details)
    assert alice_secret[:12] in str(AccessRecord.objects.get().details)
