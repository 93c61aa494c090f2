"""Members of staff from whom CONVERSATIONS_VISIBLE_TO hides conversations, on every page of the app's admin."""

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from conversations.models import Conversation
from tests.admin.walk import FORM, METADATA, TEXT, create_rows, requests, snapshot, undone

CONVERSATION_TABLES = ("Conversation", "Item", "ItemText", "MetadataPair")
PLANTED = (TEXT, METADATA["topic"])


@pytest.fixture
def staff(settings, alice) -> User:
    """A superuser who sees only the conversations of a team that does not have alice."""
    settings.CONVERSATIONS_VISIBLE_TO = "tests.visibility.visible_to_group"
    staff = User.objects.create_superuser("staff")
    Group.objects.create(name="team").user_set.add(staff)
    return staff


@pytest.fixture
def client(staff) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def body(response) -> str:
    return (b"".join(response.streaming_content) if response.streaming else response.content).decode()


def test_hidden_conversation_is_shown_on_no_page_and_changed_by_no_form(client, staff, alice):
    arguments = create_rows(alice, staff)
    before = snapshot()
    for name, url, forms in requests(arguments):
        if name.startswith("deletedconversation_"):
            continue  # The setting does not narrow the trash, which has permissions of its own.
        page = body(client.get(url))
        for form in forms:
            with undone():
                page += body(client.post(url, form, follow=True))
                after = snapshot()
            assert [table for table in CONVERSATION_TABLES if before[table] != after[table]] == [], (name, form)
        assert [text for text in PLANTED if text in page] == [], name


@pytest.mark.parametrize("name", ["changelist", "export_list", "bulk_deletion"])
def test_hidden_conversation_is_found_by_no_search(client, staff, alice, name):
    create_rows(alice, staff)
    hidden = Conversation.objects.get()
    item = hidden.items.get()
    url = reverse(f"admin:conversations_conversation_{name}")
    for query in (f'"{TEXT}"', METADATA["topic"], "topic:*", "@owner:alice", hidden.pk, item.item_id):
        for response in (client.get(url, {"q": query}), client.post(f"{url}?q={query}", FORM, follow=True)):
            assert hidden.pk not in body(response).replace(query, "")
    assert Conversation.objects.get() == hidden


def test_hidden_metadata_is_not_suggested(client, staff, alice):
    create_rows(alice, staff)
    url = reverse("admin:conversations_conversation_suggestions")
    assert "topic" not in body(client.get(url, {"prefix": ""}))
    assert METADATA["topic"] not in body(client.get(url, {"key": "topic", "prefix": ""}))
    Conversation.objects.create_with_items(owner=staff, metadata=METADATA)
    assert METADATA["topic"] in body(client.get(url, {"key": "topic", "prefix": ""}))


def test_hidden_conversation_is_not_counted_as_new(client, staff, alice):
    seen = Conversation.objects.create_with_items(owner=staff)
    url = reverse("admin:conversations_conversation_new", args=[quote(seen.pk)])
    Conversation.objects.create_with_items(owner=alice)
    assert client.get(url).json()["count"] == 0
    Conversation.objects.create_with_items(owner=staff)
    assert client.get(url).json()["count"] == 1
