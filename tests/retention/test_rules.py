"""Retention rules delete what is old enough and matches, keep what is held, and have an entry for each run."""

import secrets
from datetime import timedelta

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from conversations import ids
from conversations.deletion import BulkDelete
from conversations.management.periodic import TASKS, run_due_tasks
from conversations.models import AccessRecord, Conversation, DeletedConversation, Item, PeriodicTask, RetentionRule
from conversations.retention.holds import place_hold
from conversations.retention.rules import run_rules, select_conversations

# Batches are durable transactions of their own.
pytestmark = pytest.mark.django_db(transaction=True)
HELLO = {"role": "user", "content": "hello"}


def create(owner, *, days, active_days=None, count=1, topic="demo"):
    """Return a conversation of this age, whose last item is `active_days` old, or that has no items for None."""
    items = [] if active_days is None else [HELLO] * count
    now = timezone.now()
    created_ns = int((now - timedelta(days=days)).timestamp()) * 1_000_000_000
    row = Conversation.objects.create_with_items(
        owner=owner,
        items=items,
        metadata={"topic": topic},
        conversation_id=ids.compose_id(ids.CONVERSATION_PREFIX, nanoseconds=created_ns, bits=secrets.randbits(128)),
    )
    if active_days is not None:
        Conversation.objects.filter(pk=row.pk).update(last_item_at=now - timedelta(days=active_days))
    return row


def run():
    list(run_rules())


def remaining():
    return set(Conversation.objects.values_list("pk", flat=True))


def entries():
    rows = AccessRecord.objects.filter(action="retention").order_by("pk")
    return [(row.username, row.query, row.conversation_count, row.details) for row in rows]


def test_rule_deletes_by_creation_what_matches_and_is_old_enough(alice):
    old = create(alice, days=31, active_days=0)
    kept = {create(alice, days=29).pk, create(alice, days=31, topic="other").pk}
    RetentionRule.objects.create(name="demo", query="topic:demo", days=30, is_enabled=True)
    run()
    assert remaining() == kept
    assert not Item.objects.filter(conversation=old.pk).exists()
    assert not DeletedConversation.objects.exists()
    details = {"rule": "demo", "days": 30, "since": "created"}
    assert entries() == [("periodic task: retention", "topic:demo", 1, details)]


def test_rule_deletes_by_last_activity_and_counts_creation_for_empty_conversations(alice):
    create(alice, days=60, active_days=31)
    create(alice, days=31)
    kept = {create(alice, days=60, active_days=29).pk, create(alice, days=29).pk}
    RetentionRule.objects.create(name="quiet", days=30, basis="active", is_enabled=True)
    run()
    assert remaining() == kept
    assert entries()[0][2] == 2


def test_disabled_rule_deletes_nothing_and_new_rules_are_disabled(alice):
    row = create(alice, days=31)
    RetentionRule.objects.create(name="all", days=30)
    run()
    assert remaining() == {row.pk}
    assert entries() == []


def test_run_that_deletes_nothing_has_an_entry(alice):
    RetentionRule.objects.create(name="all", days=30, is_enabled=True)
    run()
    assert [entry[2] for entry in entries()] == [0]


def test_held_conversations_stay_and_are_counted_in_the_entry(alice):
    held = create(alice, days=31, active_days=31)
    place_hold(held, reason="case", placed_by="test")
    create(alice, days=31)
    RetentionRule.objects.create(name="all", days=30, is_enabled=True)
    run()
    assert remaining() == {held.pk}
    [(_, _, count, details)] = entries()
    assert (count, details["on legal hold"]) == (1, 1)


def test_conversation_that_is_continued_meanwhile_stays(alice):
    row = create(alice, days=60, active_days=31)
    rule = RetentionRule.objects.create(name="quiet", days=30, basis="active", is_enabled=True)
    conversations, query = select_conversations(rule)
    deletion = BulkDelete(conversations, query=query)
    [batch] = list(deletion._batches())
    row.add_items([HELLO])
    assert deletion._delete(batch) == set()
    assert row.items.count() == 2


def test_long_conversation_that_is_continued_meanwhile_stays_whole(alice):
    row = create(alice, days=60, active_days=31, count=1_200)
    rule = RetentionRule.objects.create(name="quiet", days=30, basis="active", is_enabled=True)
    conversations, query = select_conversations(rule)
    deletion = BulkDelete(conversations, query=query)
    batches = deletion._batches()
    [found] = next(batches)
    row.add_items([HELLO])
    deletion._batches = lambda: iter([[found]])
    list(deletion)
    assert row.items.count() == 1_201
    assert remaining() == {row.pk}


def test_interrupted_run_is_continued_by_the_next(alice):
    for _ in range(120):
        create(alice, days=31)
    RetentionRule.objects.create(name="all", days=30, is_enabled=True)
    steps = run_rules()
    next(steps)
    steps.close()
    assert 0 < len(remaining()) < 120
    run()
    assert remaining() == set()
    counts = [entry[2] for entry in entries()]
    assert len(counts) == 2
    assert sum(counts) == 120


def test_rule_with_an_invalid_query_does_not_stop_the_others(alice):
    create(alice, days=31)
    RetentionRule.objects.create(name="bad", query="topic:", days=30, is_enabled=True)
    RetentionRule.objects.create(name="good", days=30, is_enabled=True)
    run()
    assert remaining() == set()
    assert [entry[3]["rule"] for entry in entries()] == ["good"]


def test_periodic_work_applies_the_rules_once_when_it_is_due(alice):
    create(alice, days=31)
    RetentionRule.objects.create(name="all", days=30, is_enabled=True)
    [task] = [task for task in TASKS if task.name == "retention"]
    run_due_tasks([task])
    assert remaining() != set()  # The first night is to come.
    PeriodicTask.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert run_due_tasks([task]) == ["retention"]
    assert run_due_tasks([task]) == []
    assert remaining() == set()
    assert len(entries()) == 1


NO_WORDS = "Retention rules can't search messages. Use metadata and times."


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("topic:demo OR", "“topic:demo OR” is incomplete: add a condition after OR."),
        ("topic:", "“topic:” is incomplete: add what is missing at its end."),
        ("(", "“(” is incomplete: add what is missing at its end."),
        ("refund", NO_WORDS),
        ('"two words"', NO_WORDS),
        ("topic:demo created>=never -x:1", "“created>=never” is no condition on metadata or times."),
        ("topic:demo -?", "“-?” is no condition on metadata or times."),
        ('"?"', '“"?"” has no letter, digit or emoji to search for.'),
        (" ".join(["topic:demo"] * 17), "This query is too long or has too many conditions."),
    ],
)
def test_invalid_query_is_an_error(db, query, message):
    with pytest.raises(ValidationError) as raised:
        RetentionRule(name="x", query=query, days=30).full_clean()
    assert raised.value.message_dict == {"query": [message]}


def url(page, rule=None):
    return reverse(f"admin:conversations_retentionrule_{page}", args=[rule.pk] if rule else [])


FORM = {"name": "demo", "query": "topic:demo", "days": "30", "basis": "active", "is_enabled": "on"}


def test_admin_creates_and_changes_a_rule(admin_client):
    assert admin_client.post(url("add"), FORM).status_code == 302
    rule = RetentionRule.objects.get()
    assert (rule.query, rule.days, rule.basis, rule.is_enabled) == ("topic:demo", 30, "active", True)
    admin_client.post(url("change", rule), {**FORM, "days": "60"})
    assert RetentionRule.objects.get().days == 60
    assert "topic:demo" in admin_client.get(url("changelist")).content.decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("query", "topic:"),
        ("query", "refund"),
        ("days", "0"),
        ("days", "-1"),
        ("days", "x"),
        ("basis", "x"),
        ("name", ""),
    ],
)
def test_wrong_value_is_a_form_error(admin_client, name, value):
    response = admin_client.post(url("add"), {**FORM, name: value})
    assert response.context["adminform"].form.errors[name]
    assert not RetentionRule.objects.exists()


def test_dry_run_shows_number_and_sample_and_deletes_nothing(admin_client, alice):
    rows = [create(alice, days=31) for _ in range(3)]
    place_hold(rows[0], reason="case", placed_by="test")
    young = create(alice, days=1)
    rule = RetentionRule.objects.create(name="demo", query="topic:demo", days=30)
    response = admin_client.get(url("dry_run", rule))
    assert (response.context["count"].number, response.context["held_count"]) == (2, 1)
    html = response.content.decode()
    assert [quote(row.pk) in html for row in (*rows, young)] == [False, True, True, False]
    assert admin_client.post(url("dry_run", rule)).status_code == 405
    assert len(remaining()) == 4
    assert entries() == []
    assert url("dry_run", rule) in admin_client.get(url("change", rule)).content.decode()


def test_changing_rules_takes_the_right_to_delete_conversations(client, django_user_model):
    rule = RetentionRule.objects.create(name="demo", days=30)
    user = django_user_model.objects.create_user("staff", is_staff=True)
    rights = Permission.objects.filter(content_type__app_label="conversations")
    user.user_permissions.set(rights.exclude(codename="delete_conversation"))
    client.force_login(user)
    assert client.post(url("add"), FORM).status_code == 403
    assert client.post(url("change", rule), FORM).status_code == 403
    assert client.get(url("dry_run", rule)).status_code == 200
    user.user_permissions.set(rights.filter(codename="view_retentionrule"))
    assert client.get(url("dry_run", rule)).status_code == 403
    assert RetentionRule.objects.get().name == "demo"
    assert RetentionRule.objects.get().query == ""
