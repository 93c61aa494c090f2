import re
from html import unescape

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from conversations.admin.actions.set_metadata import set_pair
from conversations.errors import APIError
from conversations.models import AccessRecord, Conversation, MetadataPair
from conversations.retention.holds import place_hold

LIST_URL = reverse("admin:conversations_conversation_changelist")
URL = reverse("admin:conversations_conversation_metadata")
FULL = {f"key {number}": "x" for number in range(16)}


def send(client, rows, *, key="tenant", value="acme", typed=None, url=URL):
    ids = [row.pk for row in rows]
    typed = str(len(ids)) if typed is None else typed
    return client.post(url, {ACTION_CHECKBOX_NAME: ids, "key": key, "value": value, "typed": typed}, follow=True)


def messages(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


@pytest.fixture
def rows(alice, bob) -> list[Conversation]:
    return [
        Conversation.objects.create_with_items(owner=owner, metadata=metadata)
        for owner, metadata in [(alice, {"a": "1"}), (bob, {}), (alice, {"tenant": "other", "b": "2"})]
    ]


def test_selected_conversations_get_the_pair_and_keep_the_others(admin_client, rows, alice):
    other = Conversation.objects.create_with_items(owner=alice)
    page = admin_client.post(
        f"{LIST_URL}?owner=alice", {"action": "set_metadata", ACTION_CHECKBOX_NAME: [row.pk for row in rows]}
    )
    html = page.content.decode()
    assert "<strong>3 conversations</strong>" in html
    assert re.findall(r'<div class="form-row field-(\w+)">', html) == ["key", "value", "typed"]
    assert ">Type 3 to confirm.<" in html
    [action] = re.findall(r'<form method="post" action="([^"]*)"', html[html.index('id="content"') :])
    response = send(admin_client, rows, url=unescape(action))
    assert response.redirect_chain[-1][0] == f"{LIST_URL}?owner=alice"
    assert messages(response) == ["Set “tenant” in 3 conversations."]
    assert [Conversation.objects.get(pk=row.pk).metadata for row in rows] == [
        {"a": "1", "tenant": "acme"},
        {"tenant": "acme"},
        {"tenant": "acme", "b": "2"},
    ]
    assert Conversation.objects.get(pk=other.pk).metadata == {}
    assert MetadataPair.objects.filter(key="tenant", value="acme").count() == 3
    records = AccessRecord.objects.filter(action="metadata").order_by("pk")
    assert [(record.username, record.conversation_id) for record in records] == [
        ("admin", row.pk) for row in reversed(rows)
    ]
    assert records[0].details == {"old": {"tenant": "other", "b": "2"}, "new": {"tenant": "acme", "b": "2"}}
    assert LogEntry.objects.count() == 3
    assert messages(send(admin_client, rows)) == ["Set “tenant” in 0 conversations. 3 had this value already."]
    assert AccessRecord.objects.filter(action="metadata").count() == 3


@pytest.mark.parametrize(
    "fault", [{"typed": "2"}, {"typed": ""}, {"key": ""}, {"key": "k" * 65}, {"value": "v" * 513}, {"key": "a\0"}]
)
def test_faulty_form_changes_nothing_and_keeps_what_was_typed(admin_client, rows, fault):
    before = [row.metadata for row in rows]
    response = send(admin_client, rows, **fault)
    assert "Please correct the error" in response.content.decode()
    assert response.content.decode().count('name="_selected_action"') == 3
    assert [Conversation.objects.get(pk=row.pk).metadata for row in rows] == before
    assert not AccessRecord.objects.exists()


def test_longest_pair_is_accepted(admin_client, rows):
    send(admin_client, rows[:1], key="🎉" * 64, value="🎉" * 512)
    assert Conversation.objects.get(pk=rows[0].pk).metadata == {"a": "1", "🎉" * 64: "🎉" * 512}


def test_held_and_full_conversations_are_named_and_stay(admin_client, rows, alice):
    full = Conversation.objects.create_with_items(owner=alice, metadata=FULL)
    place_hold(rows[0], reason="case", placed_by=alice)
    response = send(admin_client, [*rows, full])
    success, held, refused = messages(response)
    assert success == "Set “tenant” in 2 conversations."
    assert held == "On legal hold and not changed: “Empty conversation”"
    assert refused.startswith("“Empty conversation” was not changed: ")
    assert "16" in refused
    assert Conversation.objects.get(pk=rows[0].pk).metadata == {"a": "1"}
    assert Conversation.objects.get(pk=full.pk).metadata == FULL


def test_pair_is_set_beside_what_another_request_has_written_meanwhile(alice, rows):
    stale = Conversation.objects.get(pk=rows[0].pk)
    rows[0].replace_metadata({"new": "yes"})
    assert set_pair(stale, "tenant", "acme", changed_by=alice)
    assert Conversation.objects.get(pk=stale.pk).metadata == {"new": "yes", "tenant": "acme"}
    Conversation.objects.get(pk=stale.pk).delete()
    with pytest.raises(APIError):
        set_pair(stale, "tenant", "b", changed_by=alice)


def test_only_staff_who_may_change_conversations_may_set_metadata(staff_client, rows):
    client = staff_client("view_conversation")
    assert "set_metadata" not in client.get(LIST_URL).content.decode()
    assert send(client, rows).status_code == 403
    assert Conversation.objects.get(pk=rows[0].pk).metadata == {"a": "1"}


def test_staff_set_metadata_only_of_conversations_that_they_see(staff_client, rows, settings):
    settings.CONVERSATIONS_VISIBLE_TO = "tests.visibility.visible_to_group"
    response = send(staff_client("view_conversation", "change_conversation"), rows)
    assert messages(response) == ["There is nothing to change."]
    assert Conversation.objects.get(pk=rows[0].pk).metadata == {"a": "1"}


def test_history_has_old_and_new_values_until_the_conversation_is_deleted_for_good(admin_client, staff_client, rows):
    send(admin_client, rows[2:], value="<acme>")
    url = reverse("admin:conversations_conversation_history", args=[rows[2].pk])
    html = staff_client("view_conversation").get(url).content.decode()
    assert "<b>tenant</b>: “other” → “&lt;acme&gt;”" in html
    assert "<b>b</b>" not in html
    other = reverse("admin:conversations_conversation_history", args=[rows[0].pk])
    assert "No change of the metadata in the admin is recorded." in admin_client.get(other).content.decode()
    AccessRecord.objects.forget_details([rows[2].pk])
    assert "acme" not in admin_client.get(url).content.decode().split('id="conversations-changes"')[1]
