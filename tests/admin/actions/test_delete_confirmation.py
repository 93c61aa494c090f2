import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.db import connection
from django.urls import reverse

from conversations.admin.list.titles import shorten_id
from conversations.models import Conversation, Item, MetadataPair
from conversations.schema.items import validate_items
from conversations.transfer.exporter import ITEMS_PER_QUERY
from tests.queries import CapturedQueries

MESSAGE = {"role": "user", "content": "hi"}


def delete_url(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_delete", args=[quote(conversation.pk)])


def create_conversation(owner, count: int) -> Conversation:
    conversation = Conversation.objects.create_with_items(owner=owner, metadata={"topic": "demo"})
    conversation.add_items(items=validate_items([MESSAGE]) * count)
    return conversation


def test_delete_confirmation_shows_the_number_of_items_without_listing_them(admin_client, alice):
    conversation = create_conversation(alice, 3)
    html = admin_client.get(delete_url(conversation)).content.decode()
    assert "<p>Delete “hi” with 3 items?</p>" in html
    assert conversation.items.first().item_id not in html
    assert "topic" not in html


def test_delete_conversation_permission_is_sufficient(staff_client, alice):
    client = staff_client("view_conversation", "delete_conversation")
    conversation = create_conversation(alice, 2)
    assert (
        f"Delete “{shorten_id(conversation.pk)}” with 2 items?" in client.get(delete_url(conversation)).content.decode()
    )
    assert client.post(delete_url(conversation), {"post": "yes"}).status_code == 302
    assert not Conversation.objects.exists()
    assert not Item.objects.exists()
    assert not MetadataPair.objects.exists()
    assert LogEntry.objects.count() == 1


def test_deletion_requires_the_delete_permission(staff_client, alice):
    client = staff_client("view_conversation", "change_conversation")
    conversation = create_conversation(alice, 1)
    assert client.post(delete_url(conversation), {"post": "yes"}).status_code == 403
    assert Conversation.objects.get() == conversation


@pytest.mark.slow
@pytest.mark.parametrize(("method", "reads"), [("get", 0), ("post", 5000 // ITEMS_PER_QUERY)])
def test_number_of_queries_grows_only_with_batches_of_items(admin_client, alice, method, reads):
    def queries(conversation: Conversation) -> int:
        with CapturedQueries(connection) as captured:
            getattr(admin_client, method)(delete_url(conversation), {"post": "yes"} if method == "post" else {})
        return len(captured)

    queries(create_conversation(alice, 1))  # Fill the cache of content types.
    few, many = queries(create_conversation(alice, 1)), queries(create_conversation(alice, 5000))
    assert many - few == reads
    assert few <= 25


def test_other_conversations_are_not_deleted(admin_client, alice):
    deleted, other = create_conversation(alice, 2), create_conversation(alice, 2)
    admin_client.post(delete_url(deleted), {"post": "yes"})
    assert Conversation.objects.get() == other
    assert Item.objects.count() == 2
    assert MetadataPair.objects.get().conversation == other


def test_a_user_with_conversations_cannot_be_deleted(admin_client, alice):
    conversation = create_conversation(alice, 2)
    url = reverse("admin:auth_user_delete", args=[alice.pk])
    assert "would require deleting the following protected related objects" in admin_client.get(url).content.decode()
    admin_client.post(url, {"post": "yes"})
    assert Conversation.objects.get() == conversation
