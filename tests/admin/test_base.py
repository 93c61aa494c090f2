"""Rules that hold for every list of the app's admin."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils import timezone

from conversations.api_key_secrets import visible_prefix
from conversations.models import (
    AccessRecord,
    APIKey,
    Conversation,
    DeletedConversation,
    Item,
    RetentionRule,
    SavedView,
)
from conversations.trash import move_to_trash

MODELS = ["accessrecord", "apikey", "conversation", "deletedconversation", "retentionrule", "savedview"]
WITH_ACTIONS = [name for name in MODELS if name != "accessrecord"]
COUNT = 1_234_567


def list_url(name: str) -> str:
    return reverse(f"admin:conversations_{name}_changelist")


@pytest.fixture
def rows(admin_user) -> None:
    Conversation.objects.create_with_items(owner=admin_user)
    move_to_trash(Conversation.objects.create_with_items(owner=admin_user))
    APIKey.create(user=admin_user)
    SavedView.objects.create(owner=admin_user, name="view")
    RetentionRule.objects.create(name="old", days=30)
    AccessRecord.objects.record(user=admin_user, action=AccessRecord.Action.EXPORT, conversation_count=COUNT)


@pytest.mark.parametrize("name", WITH_ACTIONS)
def test_only_lists_with_rows_offer_actions(admin_client, rows, name):
    assert 'name="action"' in admin_client.get(list_url(name)).content.decode()
    for query in ({"q": "no-such-row"}, {"q": 'a:"' * 500}):
        if name != "retentionrule":
            assert 'name="action"' not in admin_client.get(list_url(name), query).content.decode()
    for model in (Conversation, DeletedConversation, APIKey, SavedView, RetentionRule):
        model._base_manager.all().delete()
    assert 'name="action"' not in admin_client.get(list_url(name)).content.decode()


def test_list_with_an_invalid_filter_offers_no_actions(admin_client, rows):
    html = admin_client.get(list_url("conversation"), {"created_from": "x"}).content.decode()
    assert 'name="action"' not in html
    assert "Export all conversations" not in html


@pytest.mark.parametrize("name", [name for name in MODELS if name != "retentionrule"])
def test_times_in_lists_are_relative_with_the_exact_time_on_hover(admin_client, rows, name):
    past, soon = timezone.now() - timedelta(minutes=5, seconds=1), timezone.now() + timedelta(hours=3, minutes=1)
    Conversation.objects.update(created_at=past, last_item_at=past)
    DeletedConversation.objects.update(created_at=past, deleted_at=past)
    APIKey.objects.update(created_at=past, last_used_at=past, expires_at=soon)
    SavedView.objects.update(created_at=past)
    AccessRecord.objects.update(created_at=past)
    html = admin_client.get(list_url(name)).content.decode()
    times = re.findall(r'<time [^>]*title="[\d-]{10} [\d:]{8} UTC">([^<]*)</time>', html.partition('id="content"')[2])
    assert "5 min ago" in times
    assert set(times) <= {"5 min ago", "in 3 h", timezone.localdate(past + timedelta(days=30)).strftime("%b. %-d, %Y")}


@pytest.mark.parametrize("name", ["accessrecord", "conversation", "deletedconversation"])
def test_numbers_have_thousands_separators(admin_client, rows, name):
    Conversation.objects.update(item_count=COUNT)
    DeletedConversation.objects.update(item_count=COUNT)
    page = admin_client.get(list_url(name))
    row = page.context["cl"].result_list[0]
    single = admin_client.get(reverse(f"admin:conversations_{name}_change", args=[row.pk]))
    for html in (page.content.decode(), single.content.decode()):
        assert "1,234,567" in html
        assert str(COUNT) not in html


@pytest.mark.parametrize("name", ["changelist", "export_list", "bulk_deletion", "suggestions", "erase", "change"])
def test_url_with_the_secret_of_a_key_leads_to_one_with_its_prefix(admin_client, admin_user, name):
    _, secret = APIKey.create(user=admin_user)
    row = Conversation.objects.create_with_items(owner=admin_user)
    url = reverse(f"admin:conversations_conversation_{name}", args=[quote(row.pk)] if name == "change" else [])
    response = admin_client.get(url, {"q": f"a {secret}"})
    assert (response.status_code, response["Location"]) == (302, f"{url}?q=a+{visible_prefix(secret)}")
    response = admin_client.post(f"{url}?q={secret}")
    assert secret not in f"{response.content.decode()} {response.headers}"


@pytest.mark.django_db(transaction=True)
def test_secret_that_is_typed_into_a_form_is_stored_as_its_prefix(admin_client, admin_user):
    _, secret = APIKey.create(user=admin_user)
    prefix = visible_prefix(secret)
    rule = {"name": f"for {secret}", "query": "", "days": "30", "basis": "created"}
    admin_client.post(reverse("admin:conversations_retentionrule_add"), rule)
    assert RetentionRule.objects.get().name == f"for {prefix}"
    item = {"role": "user", "content": "Hello"}
    row = Conversation.objects.create_with_items(owner=admin_user, items=[item], metadata={"key": secret})
    key = row.items.get().item_id
    url = reverse("admin:conversations_conversation_redact", args=[quote(row.pk), key])
    admin_client.post(url, {"reason": f"has {secret}"})
    assert f"[Redacted: has {prefix}]" in str(row.items.get().data)
    stored = [AccessRecord, Item, LogEntry, RetentionRule]
    assert secret not in str([list(model.objects.values()) for model in stored])
    assert Conversation.objects.get().metadata == {"key": secret}


@pytest.mark.parametrize("model", ["conversation", "deletedconversation", "apikey", "savedview", "retentionrule"])
def test_action_without_rows_says_what_to_do(admin_client, model):
    url = reverse(f"admin:conversations_{model}_changelist")
    response = admin_client.post(url, {"action": "delete_selected", "index": "0"}, follow=True)
    [message] = response.context["messages"]
    assert str(message) == "Select at least one row, then start the action again. Nothing was changed."
    assert response.redirect_chain[0] == (url, 302)


def test_action_without_rows_requires_the_permission_to_view(staff_client):
    url = reverse("admin:conversations_conversation_changelist")
    assert staff_client("view_apikey").post(url, {"action": "delete_selected", "index": "0"}).status_code == 403
