import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.db import connection, connections
from django.test import Client
from django.urls import resolve
from django.utils.http import urlencode

from conversations.admin import ConversationAdmin
from conversations.admin.actions import bulk_delete, selection
from conversations.deletion import delete_conversation
from conversations.models import Conversation, DeletedConversation, Item, MetadataPair
from conversations.schema.items import validate_items
from tests.admin.actions.bulk_delete_page import (
    DEMO,
    LIST_URL,
    URL,
    bulk_delete_url,
    confirm,
    create_conversation,
    hidden_fields,
    message_texts,
    select_in_list,
)
from tests.queries import CapturedQueries


@pytest.fixture
def client(staff_client) -> Client:
    return staff_client("view_conversation", "delete_conversation")


def test_selected_conversations_are_deleted_after_typing_their_number(client, alice):
    one, other, unselected = create_conversation(alice), create_conversation(alice), create_conversation(alice)
    page = select_in_list(client, one, other)
    html = page.content.decode()
    assert "<strong>2 conversations</strong>" in html
    assert "Type the number 2 to confirm:" in html
    assert Conversation.objects.count() == 3
    response = confirm(client, page, URL, "2")
    assert message_texts(response) == ["Deleted 2 conversations."]
    assert Conversation.objects.get() == unselected
    assert Item.objects.count() == 2
    assert MetadataPair.objects.get().conversation == unselected
    assert set(DeletedConversation.objects.values_list("conversation_id", "deleted_by_username")) == {
        (one.pk, "staff"),
        (other.pk, "staff"),
    }


def test_bulk_deletion_deletes_all_conversations_that_match_the_filter(client, alice, bob):
    matches = [create_conversation(alice) for _ in range(3)]
    others = [create_conversation(alice, "other"), create_conversation(bob)]
    url = bulk_delete_url({**DEMO, "owner": "alice"})
    page = client.get(url)
    assert "<strong>3 conversations</strong>" in page.content.decode()
    assert "owner=alice" in page.content.decode()
    response = confirm(client, page, url, "3")
    assert message_texts(response) == ["Deleted 3 conversations."]
    assert response.redirect_chain == [(f"{LIST_URL}?{urlencode({**DEMO, 'owner': 'alice'})}", 302)]
    assert set(Conversation.objects.all()) == set(others)
    assert set(LogEntry.objects.values_list("object_id", "action_flag", "user__username")) == {
        (conversation.pk, 3, "staff") for conversation in matches
    }


def test_filtered_list_links_to_bulk_deletion(client, alice):
    conversation = create_conversation(alice)
    html = client.get(LIST_URL, {**DEMO, "before": conversation.pk}).content.decode()
    assert f'<a href="{bulk_delete_url(DEMO)}">Delete results…</a>'.replace("&", "&amp;") in html
    assert URL not in client.get(LIST_URL).content.decode()


@pytest.mark.parametrize("typed", ["", "3", "two", "2 conversations", "02", "delete"])
def test_wrong_confirmation_deletes_nothing(client, alice, typed):
    one, other = create_conversation(alice), create_conversation(alice)
    for page, url in (
        (select_in_list(client, one, other), URL),
        (client.get(bulk_delete_url(DEMO)), bulk_delete_url(DEMO)),
    ):
        response = confirm(client, page, url, typed)
        assert "The number doesn&#x27;t match. Nothing was deleted." in response.content.decode()
        assert hidden_fields(response) == hidden_fields(page) | {
            "csrfmiddlewaretoken": hidden_fields(response)["csrfmiddlewaretoken"]
        }
    assert Conversation.objects.count() == 2
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("missing", ["expected", "newest_id", "deleted_count", "scope"])
def test_incomplete_confirmation_form_deletes_nothing(client, alice, missing):
    create_conversation(alice)
    page = client.get(bulk_delete_url(DEMO))
    form = {name: value for name, value in hidden_fields(page).items() if name != missing}
    client.post(bulk_delete_url(DEMO), {**form, "typed": "1"})
    client.post(bulk_delete_url(DEMO), {**form, "typed": ""})
    assert Conversation.objects.exists()


def test_missing_selection_does_not_select_all_conversations(client, alice):
    one, _other = create_conversation(alice), create_conversation(alice)
    form = hidden_fields(select_in_list(client, one))
    del form[ACTION_CHECKBOX_NAME]
    response = client.post(URL, {**form, "typed": "1"}, follow=True)
    assert message_texts(response) == ["Deleted 0 conversations."]
    assert Conversation.objects.count() == 2


def test_bulk_delete_keeps_conversations_created_after_confirmation(client, alice):
    create_conversation(alice)
    page = client.get(bulk_delete_url(DEMO))
    later = create_conversation(alice)
    response = confirm(client, page, bulk_delete_url(DEMO), "1")
    assert message_texts(response) == ["Deleted 1 conversation."]
    assert Conversation.objects.get() == later


def test_invalid_filter_deletes_nothing(client, alice):
    create_conversation(alice)
    for query in ({"q": "topic:("}, {"color": "red"}, {"owner": "carol"}, {**DEMO, "metadata_operator": "resembles"}):
        response = client.get(bulk_delete_url(query), follow=True)
        assert message_texts(response)
        assert "form_url" not in response.context
        form = {**hidden_fields(client.get(bulk_delete_url(DEMO))), "typed": "1"}
        client.post(bulk_delete_url(query), form)
    assert Conversation.objects.exists()


def test_capped_count_is_confirmed_by_typing_a_word(client, alice, monkeypatch):
    monkeypatch.setattr(selection, "MAX_COUNT", 2)
    for _ in range(3):
        create_conversation(alice)
    page = client.get(bulk_delete_url(DEMO))
    assert "<strong>2 or more conversations</strong>" in page.content.decode()
    assert "Type “delete” to confirm:" in page.content.decode()
    confirm(client, page, bulk_delete_url(DEMO), "2")
    assert Conversation.objects.count() == 3
    confirm(client, page, bulk_delete_url(DEMO), "delete")
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("is_selected", [True, False])
def test_bulk_deletion_continues_on_another_page_after_the_time_limit(client, alice, monkeypatch, is_selected):
    monkeypatch.setattr(ConversationAdmin, "bulk_deletion_seconds", 0)
    monkeypatch.setattr(bulk_delete, "BATCH", 2)
    conversations = [create_conversation(alice) for _ in range(4)]
    url = URL if is_selected else bulk_delete_url(DEMO)
    page = select_in_list(client, *conversations) if is_selected else client.get(url)
    response = confirm(client, page, url, "4")
    for deleted in (1, 2, 3):
        assert f"<strong>{deleted} conversation" in response.content.decode()
        assert Conversation.objects.count() == 4 - deleted
        later = create_conversation(alice)
        response = client.post(url, hidden_fields(response), follow=True)
        delete_conversation(later)
    if response.redirect_chain == []:  # The time limit was reached after the last conversation.
        response = client.post(url, hidden_fields(response), follow=True)
    assert message_texts(response) == ["Deleted 4 conversations."]
    assert not Conversation.objects.exists()


def test_each_conversation_is_deleted_in_its_own_transaction(client, alice, monkeypatch):
    _first, second = create_conversation(alice), create_conversation(alice)
    page = client.get(bulk_delete_url(DEMO))

    def fail(conversation):
        delete_conversation(conversation)
        if conversation.pk is None and not Conversation.objects.filter(pk=second.pk).exists():
            raise RuntimeError("power cut")

    monkeypatch.setattr(ConversationAdmin, "delete_model", lambda self, request, obj: fail(obj))
    client.raise_request_exception = False
    assert confirm(client, page, bulk_delete_url(DEMO), "2").status_code == 500
    assert Conversation.objects.get() == second
    assert Item.objects.count() == 2
    assert LogEntry.objects.count() == 1


def test_bulk_deletion_view_opts_out_of_atomic_requests():
    assert resolve(URL).func._non_atomic_requests == set(connections)


def test_bulk_deletion_tolerates_conversations_deleted_meanwhile(client, alice, monkeypatch):
    first, _second = create_conversation(alice), create_conversation(alice)
    page = client.get(bulk_delete_url(DEMO))
    delete = ConversationAdmin.delete_model

    def too_late(self, request, obj):
        if obj == first:
            Conversation.objects.filter(pk=obj.pk).delete()
        delete(self, request, obj)

    monkeypatch.setattr(ConversationAdmin, "delete_model", too_late)
    response = confirm(client, page, bulk_delete_url(DEMO), "2")
    assert message_texts(response)[0].startswith("Deleted 1 conversation")


def test_number_of_queries_does_not_grow_with_items(client, alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 0

    def queries(count: int) -> int:
        conversation = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
        if count:
            conversation.add_items(items=validate_items([{"role": "user", "content": "hi"}]) * count)
        page = client.get(bulk_delete_url(DEMO))
        with CapturedQueries(connection) as captured:
            client.post(bulk_delete_url(DEMO), {**hidden_fields(page), "typed": "1"})
        assert not Conversation.objects.exists()
        return len(captured)

    queries(1)  # Fill the cache of content types.
    assert queries(1) == queries(2_000) <= 23
