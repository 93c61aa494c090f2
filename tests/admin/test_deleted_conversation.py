import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from conversations.admin import DeletedConversationAdmin
from conversations.admin.actions.delete_confirmation import restore_context
from conversations.admin.base import EMPTY
from conversations.admin.list.titles import shorten_id
from conversations.admin.list.trash_list import TrashChangeList
from conversations.models import AccessRecord, Conversation, DeletedConversation, DeletedPart, Item
from conversations.retention.holds import place_hold
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash
from tests.admin_pages import CONTENT_SECURITY_POLICY
from tests.queries import CapturedQueries

CONVERSATIONS_URL = reverse("admin:conversations_conversation_changelist")
LIST_URL = reverse("admin:conversations_deletedconversation_changelist")
CONTENT = "planted-words"


def create_conversation(owner, **metadata) -> Conversation:
    items = validate_items([{"role": "user", "content": CONTENT}] * 2)
    return Conversation.objects.create_with_items(owner=owner, metadata=metadata or {"topic": "demo"}, items=items)


@pytest.fixture
def conversation(alice) -> Conversation:
    return create_conversation(alice)


@pytest.fixture
def deleted_conversation(conversation, bob) -> DeletedConversation:
    return move_to_trash(conversation, deleted_by=bob)


def url(name: str, key) -> str:
    return reverse(f"admin:conversations_{name}", args=[quote(key)])


def action(name: str, *rows: DeletedConversation) -> dict[str, object]:
    return {"action": name, "_selected_action": [row.pk for row in rows]}


def test_deleted_conversation_is_hidden_everywhere_but_in_the_trash(
    admin_client, admin_user, conversation, alice_secret
):
    key = conversation.pk
    assert admin_client.post(url("conversation_delete", key), {"post": "yes"}).status_code == 302
    admin_client.get(CONVERSATIONS_URL)  # shows the message of the deletion
    assert key not in admin_client.get(CONVERSATIONS_URL).content.decode()
    assert key in admin_client.get(LIST_URL).content.decode()
    for path in (f"/v1/conversations/{key}", f"/v1/conversations/{key}/items"):
        answer = admin_client.get(path, headers={"authorization": f"Bearer {alice_secret}"})
        assert answer.status_code == 404
    response = admin_client.get("/v1/conversations", headers={"authorization": f"Bearer {alice_secret}"})
    assert response.json()["data"] == []
    row = DeletedConversation.objects.get()
    assert (row.conversation_id, row.deleted_by) == (key, admin_user)
    assert not Item.objects.exists()
    assert LogEntry.objects.get().object_id == key


def test_selected_conversations_are_moved_to_the_trash(admin_client, alice):
    keys = {create_conversation(alice).pk for _ in range(3)}
    confirmed = {"action": "delete_selected", "_selected_action": list(keys)}
    page = admin_client.post(CONVERSATIONS_URL, confirmed)
    assert "They disappear now and can be restored until" in page.content.decode()
    initial = page.context["form"].initial
    form = {**confirmed, **initial, "typed": initial["expected"]}
    admin_client.post(reverse("admin:conversations_conversation_bulk_deletion"), form)
    assert not Conversation.objects.exists()
    assert set(DeletedConversation.objects.values_list("conversation_id", flat=True)) == keys


def test_delete_confirmation_shows_how_long_the_conversation_can_be_restored(admin_client, conversation, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 7
    page = url("conversation_delete", conversation.pk)
    html = admin_client.get(page).content.decode()
    day = timezone.localtime(timezone.now() + timedelta(days=7)).date().isoformat()
    assert f'until <time datetime="{day}' in html
    settings.CONVERSATIONS_RESTORE_DAYS = 0
    assert "is deleted for good now and can't be restored" in admin_client.get(page).content.decode()
    assert restore_context() == {"restorable_until": ""}
    admin_client.post(page, {"post": "yes"})
    assert not Conversation.objects.exists()
    assert not DeletedConversation.objects.exists()


def test_api_deletes_permanently(client, conversation, alice_secret):
    path = f"/v1/conversations/{conversation.pk}"
    assert client.delete(path, headers={"authorization": f"Bearer {alice_secret}"}).status_code == 200
    assert not DeletedConversation.objects.exists()


def test_trash_list_shows_metadata_deleting_user_and_expiry(admin_client, alice, bob, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 10
    first, second = [move_to_trash(create_conversation(alice, number=str(n)), deleted_by=bob) for n in range(2)]
    html = admin_client.get(LIST_URL).content.decode()
    assert html.index(second.conversation_id) < html.index(first.conversation_id)
    assert "<b>number</b> = 1" in html
    assert ">bob<" in html
    assert ">alice<" in html
    assert f'datetime="{(first.deleted_at + timedelta(days=10)).isoformat()}"' in html
    page = admin_client.get(url("deletedconversation_change", second.pk)).content.decode()
    assert "<b>number</b> = 1" in page
    assert 'value="Restore"' in page
    assert "Delete for good" in page


def test_held_conversation_has_a_mark_in_the_trash(admin_client, deleted_conversation, bob):
    assert "conversations-held" not in admin_client.get(LIST_URL).content.decode()
    place_hold(deleted_conversation, reason="case", placed_by=bob)
    assert admin_client.get(LIST_URL).content.decode().count("conversations-held") == 1


def test_page_in_the_trash_does_not_offer_to_delete_a_held_conversation(admin_client, deleted_conversation, bob):
    page_url = url("deletedconversation_change", deleted_conversation.pk)
    page = admin_client.get(page_url).content.decode()
    assert "Delete for good" in page
    assert "On legal hold:" not in page
    place_hold(deleted_conversation, reason="case", placed_by=bob)
    page = admin_client.get(page_url).content.decode()
    assert "Delete for good" not in page
    assert "On legal hold:" in page
    assert "This conversation is on legal hold" in page


def test_confirmation_of_a_deletion_from_the_trash_says_that_it_is_for_good(admin_client, deleted_conversation):
    page = admin_client.get(url("deletedconversation_delete", deleted_conversation.pk)).content.decode()
    assert "<h1>Delete for good</h1>" in page
    assert '<input type="submit" value="Delete for good">' in page
    page = admin_client.post(LIST_URL, action("delete_selected", deleted_conversation)).content.decode()
    assert "<h1>Delete for good</h1>" in page
    assert '<input type="submit" value="Delete for good">' in page


def test_missing_name_of_who_deleted_a_conversation_is_a_dash(admin_client, alice):
    deleted = move_to_trash(create_conversation(alice))
    assert f'<td class="field-by">{EMPTY}</td>' in admin_client.get(LIST_URL).content.decode()
    page = admin_client.get(url("deletedconversation_change", deleted.pk)).content.decode()
    assert f'<div class="readonly">{EMPTY}</div>' in page


def test_deleted_conversations_are_found_by_owner_and_by_id(admin_client, alice, bob):
    alice_row, bob_row = [move_to_trash(create_conversation(owner)) for owner in (alice, bob)]

    def search_trash(**parameters) -> list[DeletedConversation]:
        return list(admin_client.get(LIST_URL, parameters).context["cl"].result_list)

    assert search_trash() == [bob_row, alice_row]
    assert search_trash(q="alice") == [alice_row]
    assert search_trash(q="nobody") == []
    assert search_trash(q=f" {bob_row.conversation_id} ") == [bob_row]


def test_trash_list_takes_a_constant_number_of_queries(admin_client, alice, bob):
    def queries() -> int:
        with CapturedQueries(connection) as captured:
            assert admin_client.get(LIST_URL).status_code == 200
        return len(captured)

    move_to_trash(create_conversation(alice), deleted_by=bob)
    queries()
    one = queries()
    for _ in range(5):
        move_to_trash(create_conversation(bob), deleted_by=alice)
    assert queries() == one <= 8


def test_restoring_requires_the_permissions_to_view_the_trash_and_to_delete(staff_client, deleted_conversation):
    client = staff_client("view_deletedconversation", "delete_conversation")
    page = url("deletedconversation_change", deleted_conversation.pk)
    html = client.get(page).content.decode()
    assert 'value="Restore"' in html
    assert "Delete for good" not in html
    restore = url("deletedconversation_restore", deleted_conversation.pk)
    assert client.get(restore).status_code == 405
    assert client.post(restore, follow=True).context["messages"]._loaded_data[0].message == "Restored 1 conversation."
    assert Conversation.objects.get().items.count() == 2
    assert client.post(restore).status_code == 404


@pytest.mark.parametrize(
    "rights",
    [
        ("view_deletedconversation",),
        ("view_deletedconversation", "delete_deletedconversation", "view_conversation"),
        ("delete_conversation", "view_conversation"),
    ],
)
def test_restoring_without_the_permissions_is_refused(staff_client, deleted_conversation, rights):
    client = staff_client(*rights)
    assert (
        'value="Restore"' not in client.get(url("deletedconversation_change", deleted_conversation.pk)).content.decode()
    )
    assert client.post(url("deletedconversation_restore", deleted_conversation.pk)).status_code == 403
    client.post(LIST_URL, action("restore_selected", deleted_conversation))
    assert not Conversation.objects.exists()


def test_selected_conversations_are_restored_and_each_failure_is_reported(admin_client, alice):
    rows = [move_to_trash(create_conversation(alice)) for _ in range(3)]
    recreated = Conversation(pk=rows[1].conversation_id, owner=alice, created_at=timezone.now())
    recreated.save(force_insert=True)
    response = admin_client.post(LIST_URL, action("restore_selected", *rows), follow=True)
    texts = [message.message for message in response.context["messages"]]
    assert texts == [
        f"A conversation “{rows[1].conversation_id}” exists already. Delete it first.",
        "Restored 2 conversations.",
    ]
    assert DeletedConversation.objects.get() == rows[1]
    assert Conversation.objects.count() == 3


def test_request_restores_a_limited_number_of_items(admin_client, alice, monkeypatch):
    monkeypatch.setattr(DeletedConversationAdmin, "max_restored_items", 5)
    rows = [move_to_trash(create_conversation(alice)) for _ in range(3)]
    DeletedConversation.objects.update(item_count=3)
    DeletedConversation.objects.filter(pk=rows[0].pk).update(item_count=6)
    response = admin_client.post(LIST_URL, action("restore_selected", *rows), follow=True)
    texts = [message.message for message in response.context["messages"]]
    assert texts == [
        f"“{CONTENT}” is too long to restore here; an operator can restore it.",
        "1 conversation was not restored yet. Select it again to restore it.",
        "Restored 1 conversation.",
    ]
    assert Conversation.objects.get().pk == rows[1].conversation_id


def test_permanent_deletion_requires_its_own_permission(staff_client, deleted_conversation):
    client = staff_client("view_deletedconversation", "delete_conversation")
    assert client.post(url("deletedconversation_delete", deleted_conversation.pk), {"post": "yes"}).status_code == 403
    client.post(LIST_URL, {**action("delete_selected", deleted_conversation), "post": "yes"})
    assert DeletedConversation.objects.get() == deleted_conversation


@pytest.mark.parametrize("way", ["one", "selected"])
def test_permanent_deletion_does_not_read_the_stored_content(staff_client, deleted_conversation, way):
    client = staff_client("view_deletedconversation", "delete_deletedconversation")
    assert "Delete selected conversations for good" in client.get(LIST_URL).content.decode()
    page = url("deletedconversation_delete", deleted_conversation.pk) if way == "one" else LIST_URL
    form = {} if way == "one" else action("delete_selected", deleted_conversation)
    with CapturedQueries(connection) as captured:
        html = (client.get(page) if way == "one" else client.post(page, form)).content.decode()
        assert shorten_id(deleted_conversation.conversation_id) in html
        assert client.post(page, {**form, "post": "yes"}).status_code == 302
    parts = [query["sql"] for query in captured if DeletedPart._meta.db_table in query["sql"]]
    assert [sql.split()[0] for sql in parts] == ["DELETE"]
    assert not DeletedConversation.objects.exists()
    assert not DeletedPart.objects.exists()


def test_deleted_conversations_cannot_be_added_or_changed(admin_client, deleted_conversation):
    assert admin_client.get(reverse("admin:conversations_deletedconversation_add")).status_code == 403
    page = url("deletedconversation_change", deleted_conversation.pk)
    assert admin_client.post(page, {"conversation_id": "conv_x"}).status_code == 403
    deleted_conversation.refresh_from_db()
    assert deleted_conversation.conversation_id != "conv_x"


def test_trash_pages_have_the_content_security_policy(admin_client, deleted_conversation):
    for page in (
        LIST_URL,
        url("deletedconversation_change", deleted_conversation.pk),
        url("deletedconversation_delete", deleted_conversation.pk),
    ):
        assert admin_client.get(page).headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


def test_owner_of_deleted_conversations_can_be_deleted(admin_client, alice, deleted_conversation):
    page = reverse("admin:auth_user_delete", args=[alice.pk])
    assert "protected" not in admin_client.get(page).content.decode()
    assert admin_client.post(page, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=alice.pk).exists()
    html = admin_client.get(LIST_URL, {"q": "alice"}).content.decode()
    assert deleted_conversation.conversation_id in html
    assert "alice (deleted user)" in html
    response = admin_client.post(url("deletedconversation_restore", deleted_conversation.pk), follow=True)
    [message] = response.context["messages"]
    assert "because the user “alice” was deleted" in message.message
    assert not Conversation.objects.exists()


def test_trash_shows_the_end_user_and_is_searched_by_it(admin_client, alice):
    anns, bens = (Conversation.objects.create_with_items(owner=alice, end_user=name) for name in ("ann", "ben"))
    anns_id, bens_id = anns.pk, bens.pk
    deleted = move_to_trash(anns)
    move_to_trash(bens)
    html = admin_client.get(LIST_URL, {"q": "ann"}).content.decode()
    assert anns_id in html
    assert bens_id not in html
    assert '<td class="field-end_user">ann</td>' in html
    assert "ann" in admin_client.get(url("deletedconversation_change", deleted.pk)).content.decode()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("order_id:A-1", [1]),
        ("order_id:a-1", []),
        ("order_id^A-", [1, 0]),
        ("order_id~-1", [1]),
        ("order_id:*", [1, 0]),
        ("-order_id:A-1", [2, 0]),
        ("order_id:A-0 OR 17:x", [2, 0]),
        ('metadata["17"]:x', [2]),
        ("größe:*", [2]),
        ("größe:40€", [2]),
        ("created>0 order_id:A-0", [0]),
        ("@owner:bob", [2]),
        ("@owner:alice -order_id:A-0", [1]),
        ("order_id:A-1 refund", []),
    ],
)
def test_trash_is_searched_by_metadata(admin_client, alice, bob, text, numbers):
    pairs = [(alice, {"order_id": "A-0"}), (alice, {"order_id": "A-1"}), (bob, {"17": "x", "größe": "40€"})]
    rows = [move_to_trash(create_conversation(owner, **metadata)) for owner, metadata in pairs]
    found = admin_client.get(LIST_URL, {"q": text}).context["cl"].result_list
    assert [rows.index(row) for row in found] == numbers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("order_id:A-0 refund", "Messages in the trash can't be searched."),
        ("refund", "Messages in the trash can't be searched."),
        ("erika@example.com", "Messages in the trash can't be searched."),
        ("order_id:", "“order_id:” is incomplete: add what is missing at its end."),
        ("order_id:A-1", ""),
        ("alice", ""),
    ],
)
def test_search_that_the_trash_cannot_answer_says_why(admin_client, alice, text, message):
    move_to_trash(create_conversation(alice, order_id="A-0"))
    shown = [str(each) for each in admin_client.get(LIST_URL, {"q": text}).context["messages"]]
    assert [each.startswith(message) for each in shown] == ([True] if message else [])


def test_name_that_looks_like_a_condition_is_found_too(admin_client, alice):
    deleted = move_to_trash(Conversation.objects.create_with_items(owner=alice, end_user="team:ann"))
    assert admin_client.get(LIST_URL, {"q": "team:ann"}).context["cl"].result_list == [deleted]


def test_slow_search_of_the_trash_is_stopped(admin_client, deleted_conversation, monkeypatch):
    monkeypatch.setattr(TrashChangeList, "max_seconds", 0)
    response = admin_client.get(LIST_URL, {"q": "topic:demo"})
    assert "This search takes too long." in response.content.decode()
    assert response.context["cl"].result_list == []
    assert admin_client.get(LIST_URL).context["cl"].result_list == [deleted_conversation]


def test_deleted_conversation_is_read_before_it_is_restored(staff_client, deleted_conversation):
    client = staff_client("view_deletedconversation", "read_content")
    page = url("deletedconversation_read", deleted_conversation.pk)
    change_page = client.get(url("deletedconversation_change", deleted_conversation.pk)).content.decode()
    assert page in change_page
    AccessRecord.objects.all().delete()
    response = client.get(page)
    html = response.content.decode()
    assert html.partition('<div id="container"')[2].count(CONTENT) == 4  # crumb, title and both messages
    assert f"<title>{CONTENT}" in html
    assert "conv_" not in re.sub(r"<[^>]*>", "", html)
    assert "../items/" not in html
    assert "Restore" not in html
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    record = AccessRecord.objects.get(action=AccessRecord.Action.READ)
    assert (record.username, record.conversation_id) == ("staff", deleted_conversation.conversation_id)
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("rights", [("view_deletedconversation",), ("read_content", "view_conversation")])
def test_reading_a_deleted_conversation_needs_both_rights(staff_client, deleted_conversation, rights):
    client = staff_client(*rights)
    page = url("deletedconversation_read", deleted_conversation.pk)
    assert client.get(page).status_code == 403
    assert page not in client.get(url("deletedconversation_change", deleted_conversation.pk)).content.decode()
    assert not AccessRecord.objects.filter(action=AccessRecord.Action.READ).exists()


def test_deleted_conversation_is_not_read_by_staff_who_see_only_some(staff_client, deleted_conversation, settings):
    settings.CONVERSATIONS_VISIBLE_TO = "tests.visibility.visible_to_group"
    client = staff_client("view_deletedconversation", "read_content")
    assert client.get(url("deletedconversation_read", deleted_conversation.pk)).status_code == 403


def test_long_deleted_conversation_is_read_in_pages(admin_client, alice, monkeypatch):
    monkeypatch.setattr("conversations.admin.transcript.page.Transcript.items_per_page", 2)
    call = {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "rain"}
    items = validate_items([{"role": "user", "content": "first"}, call, output, {"role": "user", "content": "last"}])
    page = url(
        "deletedconversation_read", move_to_trash(Conversation.objects.create_with_items(owner=alice, items=items)).pk
    )
    first, second = (admin_client.get(page, {"after": after}).content.decode() for after in ("", "2"))
    assert "?after=2" in first
    assert ("first" in first, "rain" in first) == (True, False)
    assert ("rain" in second, "last" in second, "?after=" in second) == (True, True, False)
    assert "No output recorded" not in first
    monkeypatch.setattr("conversations.admin.transcript.page.Transcript.max_loaded_characters", 1)
    assert "?after=1" in admin_client.get(page).content.decode()


def test_damaged_copy_is_reported(admin_client, deleted_conversation):
    DeletedPart.objects.update(content=b"not gzip")
    response = admin_client.get(url("deletedconversation_read", deleted_conversation.pk), follow=True)
    assert "can&#x27;t be read: the file can&#x27;t be read from here on" in response.content.decode()
