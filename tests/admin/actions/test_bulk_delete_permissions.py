from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client, RequestFactory

from conversations.admin import ConversationAdmin
from conversations.admin.actions.bulk_delete import BulkDeleteView
from conversations.models import Conversation
from tests.admin.actions.bulk_delete_page import (
    DEMO,
    LIST_URL,
    URL,
    bulk_delete_url,
    create_conversation,
    select_in_list,
)


def test_deletion_requires_the_delete_permission(staff_client, alice):
    client = staff_client("view_conversation", "change_conversation")
    conversation = create_conversation(alice)
    form = {
        "scope": "matching",
        "expected": "1",
        "newest_id": conversation.pk,
        "deleted_count": 0,
        "kept_count": 0,
        "held_count": 0,
        "typed": "1",
    }
    assert client.get(bulk_delete_url(DEMO)).status_code == 403
    assert client.post(bulk_delete_url(DEMO), form).status_code == 403
    select_in_list(client, conversation)
    assert Conversation.objects.exists()
    html = client.get(LIST_URL, DEMO).content.decode()
    assert "delete_selected" not in html
    assert URL not in html


def test_bulk_deletion_requires_the_view_permission(staff_client, alice):
    create_conversation(alice)
    assert staff_client("delete_conversation").get(bulk_delete_url(DEMO)).status_code == 403


def test_deletion_without_csrf_token_is_refused(admin_user, alice):
    conversation = create_conversation(alice)
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    form = {
        "scope": "matching",
        "expected": "1",
        "newest_id": conversation.pk,
        "deleted_count": 0,
        "kept_count": 0,
        "held_count": 0,
        "typed": "1",
    }
    assert client.post(bulk_delete_url(DEMO), form).status_code == 403
    assert Conversation.objects.exists()


def test_conversations_protected_by_a_subclass_are_kept_and_reported(alice, bob, rf):
    class OnlyAlicesAdmin(ConversationAdmin):
        def has_delete_permission(self, request, obj=None):
            return super().has_delete_permission(request, obj) and (obj is None or obj.owner == alice)

    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_conversation", "delete_conversation"]))
    alice_conversation, bob_conversation = create_conversation(alice), create_conversation(bob)
    request = RequestFactory().post(
        bulk_delete_url(DEMO),
        {
            "scope": "matching",
            "expected": "2",
            "typed": "2",
            "newest_id": bob_conversation.pk,
            "deleted_count": 0,
            "kept_count": 0,
            "held_count": 0,
        },
    )
    texts = []
    request.user, request.session = staff, {}
    model_admin = OnlyAlicesAdmin(Conversation, admin.site)
    model_admin.message_user = lambda request, message, level: texts.append(message)
    BulkDeleteView.as_view(model_admin=model_admin)(request)
    assert Conversation.objects.get() == bob_conversation
    assert not Conversation.objects.filter(pk=alice_conversation.pk).exists()
    assert texts[0] == "Deleted 1 conversation."
    assert texts[1].startswith("Kept 1 conversation that you may not delete")
    assert LogEntry.objects.count() == 1
