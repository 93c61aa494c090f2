from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.urls import reverse
from django.utils import timezone

from conversations.admin.actions.record_details import LABELS, render_details
from conversations.admin.actions.record_filter import describe_filter
from conversations.admin.base import EMPTY
from conversations.admin.list.titles import shorten_id
from conversations.deletion import delete_conversation
from conversations.models import AccessRecord, APIKey, Conversation, RetentionRule
from conversations.retention.holds import place_hold
from conversations.retention.receipt import Receipt
from conversations.retention.redaction import redact_item
from conversations.retention.rules import run_rules
from conversations.schema.items import validate_items
from tests.queries import CapturedQueries

LIST_URL = reverse("admin:conversations_accessrecord_changelist")
READ, EXPORT, SEARCH, *_ = AccessRecord.Action


@pytest.fixture
def conversation(alice) -> Conversation:
    items = validate_items([{"role": "user", "content": "hello there"}] * 3)
    return Conversation.objects.create_with_items(owner=alice, items=items)


def transcript_url(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])


def record_url(page: str, record: AccessRecord) -> str:
    return reverse(f"admin:conversations_accessrecord_{page}", args=[record.pk])


def visible_records(client, **query) -> list[AccessRecord]:
    return list(client.get(LIST_URL, query).context["cl"].result_list)


def test_each_transcript_page_view_is_recorded_once_without_content(staff_client, conversation):
    client = staff_client("view_conversation", "read_content")
    client.get(transcript_url(conversation))
    client.get(transcript_url(conversation), {"after": 1})
    first, second = AccessRecord.objects.order_by("id").values()
    staff = User.objects.get(username="staff")
    assert (first["user_id"], first["username"], first["action"]) == (staff.pk, "staff", "read")
    assert (first["conversation_id"], first["query"], first["conversation_count"]) == (conversation.pk, "", None)
    assert second["created_at"] > first["created_at"]
    assert "hello" not in f"{first} {second}"


def test_each_item_view_is_recorded_once(staff_client, conversation):
    arguments = [quote(conversation.pk), conversation.items.first().item_id]
    url = reverse("admin:conversations_conversation_item", args=arguments)
    assert "hello there" in staff_client("view_conversation", "read_content").get(url).content.decode()
    record = AccessRecord.objects.get()
    assert (record.action, record.conversation_id) == (READ, conversation.pk)


def test_pages_without_content_are_not_recorded(admin_client, conversation):
    admin_client.get(LIST_URL)
    admin_client.get(reverse("admin:conversations_conversation_new_items", args=[quote(conversation.pk), 0]))
    assert not AccessRecord.objects.exists()


def test_access_is_recorded_before_the_items_are_read(admin_client, conversation):
    with CapturedQueries(connection) as captured:
        admin_client.get(transcript_url(conversation))
    statements = [query["sql"] for query in captured]
    insert = next(n for n, sql in enumerate(statements) if sql.startswith("INSERT") and "accessrecord" in sql)
    assert insert < next(n for n, sql in enumerate(statements) if "conversations_item" in sql.partition("FROM")[2])


def test_transcript_is_not_shown_if_the_access_cannot_be_recorded(admin_client, conversation):
    def refuse(execute, sql, *arguments):
        if sql.startswith("INSERT"):
            raise DatabaseError("no space left")
        return execute(sql, *arguments)

    admin_client.raise_request_exception = False
    with connection.execute_wrapper(refuse):
        response = admin_client.get(transcript_url(conversation))
    assert response.status_code == 500
    assert "hello there" not in response.content.decode()


def test_access_record_outlives_its_conversation_and_user(admin_client, staff_client, conversation):
    staff_client("view_conversation", "read_content").get(transcript_url(conversation))
    staff, conversation_id = User.objects.get(username="staff"), conversation.pk
    delete_conversation(conversation)
    url = reverse("admin:auth_user_delete", args=[staff.pk])
    assert "access log" not in admin_client.get(url).content.decode()
    admin_client.post(url, {"post": "yes"})
    assert not User.objects.filter(username="staff").exists()
    [record] = visible_records(admin_client, user="staff")
    assert (record.user, record.username, record.conversation_id) == (None, "staff", conversation_id)


def test_superuser_cannot_add_change_or_delete_access_records(admin_client, admin_user):
    record = AccessRecord.objects.record(user=admin_user, action=READ, conversation_id="conv_1")
    before = list(AccessRecord.objects.values())
    form = {"username": "somebody", "action": "read", "conversation_id": "conv_2", "post": "yes"}
    assert admin_client.get(reverse("admin:conversations_accessrecord_add")).status_code == 403
    assert admin_client.post(reverse("admin:conversations_accessrecord_add"), form).status_code == 403
    assert admin_client.post(record_url("change", record), form).status_code == 403
    assert admin_client.get(record_url("delete", record)).status_code == 403
    assert admin_client.post(record_url("delete", record), form).status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [record.pk], "post": "yes"}
    admin_client.post(LIST_URL, selected)
    admin_client.post(LIST_URL, {**selected, "select_across": "1", "index": "0"})
    admin_client.post(LIST_URL, {"form-TOTAL_FORMS": "1", "form-0-id": record.pk, "_save": "Save"})
    assert list(AccessRecord.objects.values()) == before


def test_access_log_pages_are_read_only(admin_client, admin_user):
    record = AccessRecord.objects.record(user=admin_user, action=READ, conversation_id="conv_1")
    list_page = admin_client.get(LIST_URL).content.decode()
    page = admin_client.get(record_url("change", record)).content.decode()
    assert "<title>Access log |" in list_page
    assert "delete_selected" not in list_page
    assert reverse("admin:conversations_accessrecord_add") not in list_page
    assert "conv_1" in page
    assert "deletelink" not in page
    assert 'name="_save"' not in page
    assert "Access log" in admin_client.get(reverse("admin:app_list", args=["conversations"])).content.decode()


@pytest.mark.parametrize(
    ("codename", "status"), [("view_accessrecord", 200), ("view_conversation", 403), ("read_content", 403)]
)
def test_access_log_requires_its_own_permission(staff_client, codename, status):
    assert staff_client(codename).get(LIST_URL).status_code == status


def test_access_log_is_sorted_newest_first(admin_client, alice):
    records = [AccessRecord.objects.record(user=alice, action=READ, conversation_id=f"conv_{n}") for n in range(3)]
    assert visible_records(admin_client) == records[::-1]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"user": "alice"}, ["conv_2", "conv_1"]),
        ({"user": "Alice"}, []),
        ({"user": "alic"}, []),
        ({"user": "alice\x00"}, []),
        ({"user": "a" * 300}, []),
        ({"action__exact": "export"}, [""]),
        ({"user": "alice", "action__exact": "export"}, []),
        ({"q": "conv_1"}, ["conv_1"]),
        ({"q": " conv_1 "}, ["conv_1"]),
        ({"q": "conv_"}, []),
        ({"q": "CONV_1"}, []),
    ],
)
def test_access_records_are_filtered_by_user_action_and_conversation(admin_client, alice, bob, query, ids):
    AccessRecord.objects.record(user=alice, action=READ, conversation_id="conv_1")
    AccessRecord.objects.record(user=alice, action=READ, conversation_id="conv_2")
    AccessRecord.objects.record(user=bob, action=EXPORT, query="topic:demo", conversation_count=12)
    assert [record.conversation_id for record in visible_records(admin_client, **query)] == ids


def test_access_log_shows_the_filter_and_number_of_an_export(admin_client, alice):
    AccessRecord.objects.record(user=alice, action=EXPORT, query="topic:demo <b>", conversation_count=12)
    html = admin_client.get(LIST_URL).content.decode()
    assert '<td class="field-filter_text"><span title="topic:demo &lt;b&gt;">topic:demo &lt;b&gt;</span></td>' in html
    assert '<td class="field-count">12</td>' in html


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("refund policy", "refund policy"),
        ("from=here", "from=here"),
        ('metadata["tenant"] eq "acme"', "tenant is “acme”"),
        ('refund metadata["say \\"a\\""] exists "" from=2026-10-01', 'refund, say "a" is set, from Oct. 1, 2026'),
        ('metadata["a"] in "b, c" metadata["d"] absent ""', "a is any of “b”, “c”, d is not set"),
        ('metadata["\\x"] eq "b"', 'metadata["\\x"] eq "b"'),
    ],
)
def test_access_log_words_the_conditions_of_a_filter_as_the_list(text, words):
    assert describe_filter(text) == words


def test_entry_of_the_access_log_has_the_filter_as_it_is_stored(admin_client, alice):
    AccessRecord.objects.record(user=alice, action=EXPORT, query='metadata["tenant"] eq "acme"')
    html = admin_client.get(record_url("change", AccessRecord.objects.get())).content.decode()
    assert "metadata[&quot;tenant&quot;] eq &quot;acme&quot;" in html


def test_access_log_takes_a_constant_number_of_queries(admin_client, alice, bob, django_assert_num_queries):
    for user in (alice, bob) * 60:
        AccessRecord.objects.record(user=user, action=READ, conversation_id="conv_1")
    with django_assert_num_queries(5):  # session, user, count, rows, conversations that exist
        html = admin_client.get(LIST_URL).content.decode()
    assert "120 entries" in html


def test_lookups_across_the_user_relation_are_refused(admin_client):
    assert admin_client.get(LIST_URL, {"user__password__startswith": "m"}).status_code == 400


def test_access_log_links_short_ids_of_conversations_that_the_user_may_view(admin_client, staff_client, conversation):
    for pk in (conversation.pk, "conv_0123456789"):
        AccessRecord.objects.record(user=conversation.owner, action=READ, conversation_id=pk)
    link = f'<a href="{transcript_url(conversation)}" title="{conversation.pk}">{shorten_id(conversation.pk)}</a>'
    html = admin_client.get(LIST_URL).content.decode()
    assert link in html
    assert '<span title="conv_0123456789">conv_…456789</span>' in html
    page = admin_client.get(record_url("change", AccessRecord.objects.earliest("pk"))).content.decode()
    assert f'<a href="{transcript_url(conversation)}" title="{conversation.pk}">{conversation.pk}</a>' in page
    assert "hello" not in html + page
    assert transcript_url(conversation) not in staff_client("view_accessrecord").get(LIST_URL).content.decode()


def test_access_log_shows_an_erasure_in_the_words_of_its_receipt(admin_client, alice):
    receipt = Receipt(counts=Counter({"deleted conversations": 1_234, "checked": 2}), finished_at=timezone.now())
    details = {"chosen by": ["end user", "metadata value"], **receipt.as_dict()}
    record = AccessRecord.objects.record(user=alice, action="erasure", details=details)
    html = render_details(record)
    assert "<b>Chosen by</b>: end user, metadata value" in html
    assert "<b>Deleted conversations</b>: 1,234" in html
    assert "<b>Saved views</b>" not in html  # There were none.
    assert [key for key in details if f"<b>{key}</b>" in html] == []


def test_every_detail_that_the_app_records_has_a_label(alice, conversation):
    key, _secret = APIKey.create(user=alice, created_by=alice)
    key.rotate(overlap=timedelta(hours=1), rotated_by=alice)
    redact_item(conversation, conversation.items.first().item_id, reason="name", redacted_by=alice)
    place_hold(conversation, reason="case", placed_by=alice)
    RetentionRule.objects.create(name="old", days=30, is_enabled=True)
    list(run_rules())
    keys = {key for record in AccessRecord.objects.all() for key in record.details or {}}
    assert keys > {"key", "copies", "reason", "rule"}
    assert keys | set(Receipt().as_dict()) <= set(LABELS)


def test_missing_values_of_the_access_log_are_dashes(admin_client, alice):
    record = AccessRecord.objects.record(user=alice, action=SEARCH)
    for url in (LIST_URL, record_url("change", record)):
        html = admin_client.get(url).content.decode()
        assert html.count(f">{EMPTY}<") == 4  # conversation, filter, results, details
