"""One time zone for what is shown and what is filtered by, and UTC for those who point at a time."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from conversations.models import AccessRecord, APIKey, Conversation, DeletedConversation, Item, SavedView
from conversations.retention.erasure import Receipt
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash

EVENING = datetime(2026, 3, 4, 18, 30, 15, tzinfo=UTC)  # when it is the next day in Tokyo
TIME = re.compile(r'<time [^>]*title="([^"]*)"[^>]*>([^<]*)</time>')
ANY_TIME = re.compile(r"\d\d?:\d\d|\d [ap]\.m\.|noon|midnight|\d{4}-\d\d-\d\d")


@pytest.fixture
def pages(admin_user, settings) -> dict[str, str]:
    settings.TIME_ZONE = "Asia/Tokyo"
    settings.LANGUAGE_CODE = "de"
    items = validate_items([{"role": "user", "content": "hello"}])
    conversation = Conversation.objects.create_with_items(owner=admin_user, items=items)
    in_trash = Conversation.objects.create_with_items(owner=admin_user, items=items)
    QuerySet(Item).update(created_at=EVENING)
    deleted = move_to_trash(in_trash)
    key, _secret = APIKey.create(user=admin_user, expires_at=EVENING)
    key.record_use()
    key.revoke()
    SavedView.objects.create(owner=admin_user, name="view")
    record = AccessRecord.objects.record(user=admin_user, action=AccessRecord.Action.READ)
    receipt = AccessRecord.objects.record(
        user=admin_user,
        action=AccessRecord.Action.ERASURE,
        details=Receipt(started_at=EVENING, finished_at=EVENING).as_dict(),
    )
    LogEntry.objects.create(
        user=admin_user,
        content_type=ContentType.objects.get_for_model(Conversation),
        object_id=conversation.pk,
        action_flag=CHANGE,
        action_time=EVENING,
    )
    Conversation.objects.update(created_at=EVENING, last_item_at=EVENING)
    QuerySet(Item).update(created_at=EVENING)
    DeletedConversation.objects.update(created_at=EVENING, deleted_at=EVENING)
    APIKey.objects.update(created_at=EVENING, last_used_at=EVENING, revoked_at=EVENING)
    SavedView.objects.update(created_at=EVENING)
    AccessRecord.objects.update(created_at=EVENING)
    rows = {"conversation": conversation, "deletedconversation": deleted, "apikey": key, "accessrecord": record}
    lists = {f"{name} list": reverse(f"admin:conversations_{name}_changelist") for name in [*rows, "savedview"]}
    single = {name: reverse(f"admin:conversations_{name}_change", args=[quote(row.pk)]) for name, row in rows.items()}
    return {
        **lists,
        **single,
        "history": single["conversation"].replace("/change/", "/history/"),
        "deletion": single["conversation"].replace("/change/", "/delete/"),
        "reading": single["deletedconversation"].replace("/change/", "/read/"),
        "receipt": f"{reverse('admin:conversations_conversation_erase')}?receipt={receipt.pk}",
    }


def test_every_time_is_shown_in_the_project_time_zone_with_utc_in_its_title(admin_client, pages):
    for name, url in pages.items():
        html = unescape(admin_client.get(url).content.decode().partition('id="content"')[2])
        times = TIME.findall(html)
        evening = [shown for utc, shown in times if utc == "2026-03-04 18:30:15 UTC"]
        assert evening or name == "deletion", name
        assert all(re.search(r"^5\. März 2026(, 03:30)?$|^03:30:15$", shown) for shown in evening), (
            name,
            times,
        )
        rest = re.sub(r"<[^>]*>", " ", TIME.sub("", html.replace("<dd>0:00:00</dd>", "")))  # a duration
        assert ANY_TIME.findall(rest) == [], name


def test_day_filter_uses_the_project_time_zone(admin_client, pages):
    conversation = Conversation.objects.get()
    day = timezone.localtime(conversation_time(conversation)).date().isoformat()
    url = pages["conversation list"]
    found = admin_client.get(url, {"created_from": day, "created_to": day}).context["cl"].result_list
    assert found == [conversation]


def conversation_time(conversation: Conversation) -> datetime:
    """By its id, which the list is in the order of."""
    return datetime.fromtimestamp(int(conversation.pk.removeprefix("conv_")[:8], 16), tz=UTC)
