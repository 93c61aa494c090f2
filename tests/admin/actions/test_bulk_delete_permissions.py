from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client, RequestFactory

from conversations.admin import ConversationAdmin
from conversations.admin.actions.bulk_delete import BulkDeleteView
from conversations.models import Conversation
from tests.admin.actions.bulk_delete_page import DEMO, LIST_URL, URL, create, matching, select


def test_deletion_requires_the_delete_permission(staff_client, alice):
    client = staff_client("view_conversation", "change_conversation")
    conversation = create(alice)
    sent = {
        "scope": "matching",
        "expected": "1",
        "newest_id": conversation.pk,
        "deleted_count": 0,
        "kept_count": 0,
        "typed": "1",
    }
    assert client.get(matching(DEMO)).status_code == 403
    assert client.post(matching(DEMO), sent).status_code == 403
    select(client, conversation)
    assert Conversation.objects.exists()
    html = client.get(LIST_URL, DEMO).content.decode()
    assert "delete_selected" not in html
    assert URL not in html


def test_bulk_deletion_requires_the_view_permission(staff_client, alice):
    create(alice)
    assert staff_client("delete_conversation").get(matching(DEMO)).status_code == 403


def test_deletion_without_csrf_token_is_refused(admin_user, alice):
    conversation = create(alice)
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    sent = {
        "scope": "matching",
        "expected": "1",
        "newest_id": conversation.pk,
        "deleted_count": 0,
        "kept_count": 0,
        "typed": "1",
    }
    assert client.post(matching(DEMO), sent).status_code == 403
    assert Conversation.objects.exists()


def test_conversations_protected_by_a_subclass_are_kept_and_reported(alice, bob, rf):
    class OnlyOfAlice(ConversationAdmin):
        def has_delete_permission(self, request, obj=None):
            return super().has_delete_permission(request, obj) and (obj is None or obj.owner == alice)

    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_conversation", "delete_conversation"]))
    gone, stays = create(alice), create(bob)
    request = RequestFactory().post(
        matching(DEMO),
        {
            "scope": "matching",
            "expected": "2",
            "typed": "2",
            "newest_id": stays.pk,
            "deleted_count": 0,
            "kept_count": 0,
        },
    )
    told = []
    request.user, request.session = staff, {}
    model_admin = OnlyOfAlice(Conversation, admin.site)
    model_admin.message_user = lambda request, message, level: told.append(message)
    BulkDeleteView.as_view(model_admin=model_admin)(request)
    assert Conversation.objects.get() == stays
    assert not Conversation.objects.filter(pk=gone.pk).exists()
    assert told[0] == "Deleted 1 conversation."
    assert told[1].startswith("Kept 1 conversation that you may not delete")
    assert LogEntry.objects.count() == 1
