"""Redaction of an item: the original is in no table, index, trash copy or later export, and a marker has its place."""

import gzip
import io

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from conversations.errors import APIError
from conversations.models import AccessRecord, Conversation, DeletedConversation, Item, RequestRecord
from conversations.retention.holds import place_hold
from conversations.retention.redaction import redact_item
from conversations.schema.query.parser import parse_query
from conversations.transfer.exporter import Export
from conversations.transfer.importer import import_conversations
from conversations.trash import move_to_trash, restore
from tests.admin.actions.bulk_delete_page import message_texts
from tests.api.conftest import APIClient
from tests.retention.test_erasure import tables_with

pytestmark = pytest.mark.django_db(transaction=True)
PLANTED = "planted9d1c"
HELLO = {"role": "user", "content": "hello"}
REASON = "card number"
ITEMS = {
    "message": {"role": "user", "content": f"my card {PLANTED}"},
    "answer": {"role": "assistant", "content": f"your card {PLANTED}"},
    "function_call": {"type": "function_call", "call_id": f"call_{PLANTED}", "name": "pay", "arguments": PLANTED},
    "function_call_output": {"type": "function_call_output", "call_id": f"call_{PLANTED}", "output": PLANTED},
    "reasoning": {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": PLANTED}]},
}


@pytest.fixture(autouse=True)
def _full_text(settings):
    settings.CONVERSATIONS_FULL_TEXT = connection.vendor != "mysql"


def create(owner, item=ITEMS["message"]):
    return Conversation.objects.create_with_items(owner=owner, items=[HELLO, item, HELLO])


def planted_item(row):
    return row.items.order_by("position")[1]


def trash_text():
    return b"".join(gzip.decompress(b"".join(copy.content())) for copy in DeletedConversation.objects.all()).decode()


def redact(row, **options):
    return redact_item(row, planted_item(row).item_id, **{"reason": REASON, "redacted_by": "ann", **options})


@pytest.mark.parametrize("name", ITEMS)
def test_original_is_in_no_table_index_or_export_and_a_marker_has_its_place(alice, alice_secret, name):
    client = APIClient(alice_secret)
    row = Conversation.objects.create_with_items(owner=alice, items=[HELLO])
    assert client.post(f"/conversations/{row.pk}/items", {"items": [ITEMS[name], HELLO]}, key="a").status_code == 200
    item = planted_item(row)
    assert {table for table, _ in tables_with(PLANTED)} >= {"Item"}
    before = timezone.now().isoformat(timespec="seconds")
    redact(row)
    assert tables_with(PLANTED) == set()
    assert PLANTED not in b"".join(Export(Conversation.objects.all())).decode()
    assert not RequestRecord.objects.exists()
    stored = planted_item(row)
    assert (stored.pk, stored.item_id, stored.position, stored.created_at) == (
        item.pk,
        item.item_id,
        item.position,
        item.created_at,
    )
    assert (stored.type, stored.call_id) == ("message", "")
    response = client.get(f"/conversations/{row.pk}/items/{item.item_id}")
    assert response.json() == stored.data
    assert stored.data["content"][0]["text"] == f"[Redacted: {REASON}]"
    assert stored.data["role"] == ("user" if name == "message" else "assistant")
    redaction = stored.data["redaction"]
    assert redaction.pop("redacted_at") >= before
    assert redaction == {"item_type": item.type, "reason": REASON, "redacted_by": "ann"}
    assert Conversation.objects.get(pk=row.pk).item_count == 3
    assert [each["type"] for each in client.get(f"/conversations/{row.pk}/items").json()["data"]] == ["message"] * 3


def test_marker_is_found_by_words_and_the_original_is_not(alice, settings):
    if connection.vendor == "mysql":
        settings.CONVERSATIONS_FULL_TEXT = True
    row = create(alice)
    redact(row)
    assert Conversation.objects.all().matching(parse_query('"card number"')).count() == 1
    assert Conversation.objects.all().matching(parse_query(f'"{PLANTED}"')).count() == 0


def test_redacted_item_meets_no_condition_on_its_type_tool_or_failure(alice, bob):
    error = {"type": "http_error", "code": 500, "message": "no"}
    call = {"type": "mcp_call", "id": "mcp_1", "server_label": "b", "name": PLANTED, "arguments": "", "error": error}
    row = create(alice, call)
    row.fork(owner=bob)
    queries = [f"@tool:{PLANTED}", "@type:mcp_call", "@status:failed"]
    assert [Conversation.objects.all().matching(parse_query(query)).count() for query in queries] == [2, 2, 2]
    reference = {"type": "item_reference", "id": "mcp_1"}
    move_to_trash(Conversation.objects.create_with_items(owner=alice, items=[reference]))
    assert redact(row).copy_count == 2
    restore(DeletedConversation.objects.get())
    assert Conversation.objects.count() == 3
    assert [Conversation.objects.all().matching(parse_query(query)).count() for query in queries] == [0, 0, 0]
    assert set(Item.objects.values_list("type", "tool", "status")) == {("message", "", "")}
    assert tables_with(PLANTED) == set()


@pytest.mark.parametrize("was_unanswered", [True, False])
def test_redaction_keeps_track_of_unanswered_calls(alice, was_unanswered):
    call = {"type": "function_call", "call_id": "call_1", "name": "pay", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_1", "output": PLANTED}
    items = [HELLO, call] if was_unanswered else [call, output]
    row = Conversation.objects.create_with_items(owner=alice, items=items)
    unanswered = Conversation.objects.all().matching(parse_query("@has:unanswered_call"))
    assert unanswered.exists() == was_unanswered
    redact(row)
    row.refresh_from_db()
    assert unanswered.exists() != was_unanswered
    assert row.call_balance == row.items.call_balance()


def test_copies_in_forks_and_references_are_redacted(alice, bob):
    row = create(alice)
    item = planted_item(row)
    row.fork()
    row.fork(owner=bob)
    other = Conversation.objects.create_with_items(owner=alice, items=[{"type": "item_reference", "id": item.item_id}])
    assert other.items.get().data == item.data
    redaction = redact(row)
    assert redaction.copy_count == 3
    assert tables_with(PLANTED) == set()
    assert AccessRecord.objects.get().details["copies"] == 3


def test_redaction_of_a_fork_redacts_its_origin(alice, bob):
    fork = create(alice).fork(owner=bob)
    assert redact(fork).copy_count == 1
    assert tables_with(PLANTED) == set()


def test_copies_in_forks_of_forks_are_redacted_whoever_owns_them(alice, bob):
    row = create(alice)
    fork = row.fork(owner=bob)
    fork.fork(owner=User.objects.create_user("carol"))
    assert redact(row).copy_count == 2
    assert tables_with(PLANTED) == set()
    sibling = create(bob)
    first, second = sibling.fork(owner=alice), sibling.fork(owner=User.objects.get(username="carol"))
    assert redact(second).copy_count == 2
    assert planted_item(first).data == planted_item(second).data
    assert tables_with(PLANTED) == set()


def test_item_of_another_user_with_the_same_id_stays(alice, bob):
    item = {**ITEMS["message"], "id": "msg_1"}
    row, foreign = (Conversation.objects.create_with_items(owner=owner, items=[HELLO, item]) for owner in (alice, bob))
    different = Conversation.objects.create_with_items(owner=alice, items=[HELLO])
    QuerySet(Item).filter(conversation=different).update(item_id="msg_1")
    assert redact(row).copy_count == 0
    assert PLANTED in str(planted_item(foreign).data)
    assert different.items.get().data["content"][0]["text"] == "hello"


def test_copies_in_the_trash_are_rewritten_and_can_be_restored(alice, monkeypatch):
    for module in ("conversations.trash", "conversations.retention.redaction"):
        monkeypatch.setattr(f"{module}.PART_BYTES", 100)  # so that a copy has several parts
    row = create(alice)
    fork = Conversation.objects.get(pk=row.fork().pk)
    fork_id = fork.pk
    export = b"".join(Export(Conversation.objects.filter(pk=row.pk)))
    move_to_trash(fork)
    move_to_trash(row)
    list(import_conversations(io.BytesIO(export), owner=alice))
    assert PLANTED in trash_text()
    row = Conversation.objects.get()
    assert redact(row).copy_count == 2
    assert PLANTED not in trash_text()
    restore(DeletedConversation.objects.get(conversation_id=fork_id))
    restored = Conversation.objects.get(pk=fork_id)
    assert planted_item(restored).data == planted_item(row).data
    assert restored.items.count() == 3


def test_redacted_conversation_is_deleted_and_restored_with_its_marker(alice):
    row = create(alice)
    redact(row)
    marker = planted_item(row).data
    restore(move_to_trash(row))
    assert planted_item(Conversation.objects.get()).data == marker


def test_held_copies_stay_and_are_counted(alice):
    row = create(alice)
    fork = row.fork()
    place_hold(fork, reason="case", placed_by="test")
    deleted = move_to_trash(Conversation.objects.get(pk=row.fork().pk))
    place_hold(deleted, reason="case", placed_by="test")
    redaction = redact(row)
    assert (redaction.copy_count, redaction.held_count) == (0, 2)
    assert PLANTED in str(planted_item(fork).data)
    assert PLANTED in trash_text()
    assert PLANTED not in str(planted_item(row).data)


def test_unknown_item_is_an_error_and_changes_nothing(alice):
    row = create(alice)
    with pytest.raises(APIError) as raised:
        redact_item(row, "msg_unknown", reason=REASON, redacted_by="ann")
    assert raised.value.status == 404
    assert not AccessRecord.objects.exists()


@pytest.mark.parametrize("reason", ["", " ", "x" * 501])
def test_reason_is_required(alice, admin_client, reason):
    row = create(alice)
    with pytest.raises(ValueError, match="reason"):
        redact(row, reason=reason)
    response = admin_client.post(redact_url(row), {"reason": reason})
    assert response.context["form"].errors["reason"]
    assert PLANTED in str(planted_item(row).data)


def redact_url(row, item_id=None):
    return reverse(
        "admin:conversations_conversation_redact", args=[quote(row.pk), item_id or planted_item(row).item_id]
    )


def page_url(row):
    return reverse("admin:conversations_conversation_change", args=[quote(row.pk)])


def test_admin_redacts_an_item_with_an_entry_in_the_log(admin_client, admin_user, alice):
    row = create(alice)
    item_id = planted_item(row).item_id
    assert f"{item_id}/redact/" in admin_client.get(page_url(row)).content.decode()
    assert item_id in admin_client.get(redact_url(row)).content.decode()
    response = admin_client.post(redact_url(row), {"reason": REASON}, follow=True)
    assert message_texts(response) == ["Redacted the item. Copies that were redacted too: 0."]
    html = response.content.decode()
    assert PLANTED not in html
    assert ", admin redacted this item." in html
    assert f"<b>Reason:</b> <bdi>{REASON}</bdi>" in html
    entry = AccessRecord.objects.get(action="redact")
    assert (entry.user, entry.conversation_id) == (admin_user, row.pk)
    assert (entry.details["item"], entry.details["reason"]) == (item_id, REASON)
    history = admin_client.get(page_url(row).replace("/change/", "/history/")).content.decode()
    assert "Redacted an item." in history


def test_admin_answers_404_for_an_unknown_item(admin_client, alice):
    assert admin_client.post(redact_url(create(alice), "msg_unknown"), {"reason": REASON}).status_code == 404


def test_admin_refuses_to_redact_in_a_held_conversation(admin_client, alice):
    row = create(alice)
    place_hold(row, reason="case", placed_by="test")
    response = admin_client.post(redact_url(row), {"reason": REASON}, follow=True)
    assert "This conversation is on legal hold" in message_texts(response)[0]
    assert PLANTED in str(planted_item(row).data)


def test_redaction_takes_a_right_of_its_own(client, django_user_model, alice):
    from django.contrib.auth.models import Permission

    row = create(alice)
    user = django_user_model.objects.create_user("staff", is_staff=True)
    rights = Permission.objects.filter(content_type__app_label="conversations")
    user.user_permissions.set(rights.exclude(codename="redact_item"))
    client.force_login(user)
    assert "/redact/" not in client.get(page_url(row)).content.decode()
    assert client.post(redact_url(row), {"reason": REASON}).status_code == 403
    user.user_permissions.set(rights.filter(codename="redact_item"))
    assert client.post(redact_url(row), {"reason": REASON}).status_code == 403
    assert PLANTED in str(planted_item(row).data)
    user.user_permissions.set(rights.filter(codename__in=["redact_item", "view_conversation"]))
    assert client.post(redact_url(row), {"reason": REASON}).status_code == 302
    assert PLANTED not in str(planted_item(row).data)
