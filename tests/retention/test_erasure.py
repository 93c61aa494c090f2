"""Erasing a person: a planted marker is found in no table any more, and everybody else's conversations stay."""

import io
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from conversations import deletion
from conversations.conf import app_settings
from conversations.models import (
    AccessRecord,
    Conversation,
    DeletedConversation,
    Item,
    ItemText,
    RequestRecord,
    RetentionRule,
    SavedView,
)
from conversations.retention.erasure import Erasure
from conversations.retention.person import Person
from conversations.transfer.exporter import Export
from conversations.trash import move_to_trash
from tests.api.conftest import APIClient
from tests.word_index import is_in_word_index

MARKER = "marker-7f3a"
WORD = "zqplanted"
# Each step is a durable transaction of its own.
pytestmark = pytest.mark.django_db(transaction=True)

PERSONS = {"owner": {"owner": "alice"}, "end user": {"end_user": MARKER}, "metadata": {"metadata": ("email", MARKER)}}


def create(owner, *, end_user=None, email="other@example.com", text="Hello!", **metadata):
    items = [{"role": "user", "content": f"{text} {number}"} for number in range(3)]
    return Conversation.objects.create_with_items(
        owner=owner, end_user=end_user, items=items, metadata={"email": email, **metadata}
    )


def tables_with(text):
    """Return the tables and columns that contain the text, of all tables of the app and its search index."""
    found = set()
    for model in [*apps.get_app_config("conversations").get_models(), LogEntry]:
        columns = [field.attname for field in model._meta.concrete_fields]
        for row in model._base_manager.values(*columns):
            found |= {(model.__name__, name) for name, value in row.items() if text in str(value)}
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT block FROM conversations_itemtext_words_data")
            if any(text.encode() in bytes(block) for (block,) in cursor.fetchall()):
                found.add(("words", "block"))
    return found


@pytest.fixture
def person(request, alice, bob, alice_secret, settings):
    """Plant the marker in a conversation, the trash, saved views, the access log, the overview and a request record."""
    settings.CONVERSATIONS_FULL_TEXT = connection.vendor != "mysql"
    options = {"end_user": MARKER, "email": MARKER, "text": MARKER}
    rows = [create(alice, **options) for _ in range(3)]
    rows[0].fork()
    foreign_fork = create(bob)
    Conversation.objects.filter(pk=foreign_fork.pk).update(forked_from=rows[1].pk)
    move_to_trash(create(alice, **options), deleted_by=bob)
    client = APIClient(alice_secret, **{"Conversations-User": MARKER})
    assert client.post(f"/conversations/{rows[0].pk}/items", {"items": [{"role": "user", "content": MARKER}]}, key="a")
    SavedView.objects.create(owner=bob, name="person", query_string=f"owner=alice&end_user={MARKER}&q=email:{MARKER}")
    query = f"owner=alice end_user={MARKER} email:{MARKER}"
    for text in (query, "topic:demo"):
        AccessRecord.objects.record(user=bob, action=AccessRecord.Action.SEARCH, query=text, conversation_count=5)
    rows[0].replace_metadata({"email": MARKER, "status": "open"}, changed_by=bob)
    SavedView.objects.create(owner=bob, name="other", query_string="q=topic:demo")
    view = SavedView.objects.create(owner=bob, name=f"Alice, {MARKER}", query_string="end_user=other")
    deleted_rule = RetentionRule(name=f"All of {MARKER} (alice)", query="topic:other", days=30)
    for row in (view, deleted_rule):
        model = ContentType.objects.get_for_model(row)
        LogEntry.objects.create(user=bob, content_type=model, object_repr=str(row), action_flag=CHANGE)
    call_command("refresh_overview", verbosity=0)
    return rows


@pytest.fixture
def others(bob):
    rows = [create(bob, end_user="ben", topic="demo"), create(bob)]
    move_to_trash(create(bob))
    return rows


def run(**options):
    person = Person(**options)
    erasure = Erasure(person)
    for _ in erasure:
        pass
    return erasure.receipt


@pytest.mark.parametrize("chosen_by", PERSONS)
def test_marker_of_an_erased_person_is_in_no_table(person, others, alice, chosen_by):
    ids = [row.pk for row in person]
    assert {name for name, _ in tables_with(MARKER)} >= {"Conversation", "Item", "MetadataPair", "SavedView"}
    options = {"owner": alice} if chosen_by == "owner" else PERSONS[chosen_by]
    before = b"".join(Export(Conversation.objects.filter(pk__in=[row.pk for row in others])))
    receipt = run(**options)
    assert tables_with(MARKER) == set()
    for pk in ids:
        assert tables_with(pk) - {("AccessRecord", "conversation_id")} == set()
    assert receipt.counts["conversations"] == 4
    assert receipt.counts["deleted conversations"] == 1
    assert receipt.counts["items"] == 13
    assert [receipt.counts[name] for name in ("saved views", "search texts", "history texts")] == [2, 1, 2]
    assert receipt.counts["request records"] == 1
    assert receipt.checked_count == 5
    assert receipt.finished_at >= receipt.started_at
    assert MARKER not in str(receipt)
    # Everything else stays.
    assert b"".join(Export(Conversation.objects.filter(pk__in=[row.pk for row in others]))) == before
    assert DeletedConversation.objects.count() == 1
    assert SavedView.objects.get().name == "other"
    searches = AccessRecord.objects.filter(action=AccessRecord.Action.SEARCH)
    assert sorted(searches.values_list("query", flat=True)) == ["", "topic:demo"]
    assert not RequestRecord.objects.exists()


def test_criteria_narrow_each_other(alice, bob):
    kept = [create(bob, end_user="ann"), create(alice, end_user="ben"), create(alice, end_user="ann", email="x")]
    erased = create(alice, end_user="ann", email="ann@example.com")
    run(owner=alice, end_user="ann", metadata=("email", "ann@example.com"))
    assert not Conversation.objects.filter(pk=erased.pk).exists()
    assert set(Conversation.objects.values_list("pk", flat=True)) == {row.pk for row in kept}


def test_interrupted_erasure_is_completed_by_another_run(person, alice):
    steps = iter(Erasure(Person(end_user=MARKER)))
    for _ in range(3):
        next(steps)
    steps.close()
    assert tables_with(MARKER)
    run(end_user=MARKER)
    assert tables_with(MARKER) == set()


def test_two_runs_that_continue_one_erasure_are_both_counted(alice, monkeypatch):
    monkeypatch.setattr(deletion, "MAX_CONVERSATIONS", 1)
    for _ in range(4):
        create(alice, end_user="ann")
    person = Person(end_user="ann")
    first = Erasure(person, erased_by="test")
    steps = iter(first)
    next(steps)
    second = Erasure(person, erased_by="test", record=AccessRecord.objects.get(), position=first.position)
    other_steps = iter(second)
    for _ in range(4):
        next(other_steps, None)
        next(steps, None)
    list(other_steps), list(steps)
    entry = AccessRecord.objects.get()
    assert (entry.conversation_count, entry.details["conversations"], entry.details["items"]) == (4, 4, 12)


def test_name_is_found_in_searches_as_a_word_only(alice, bob):
    for text in ("planning", "owner=ann", "Ann's", 'name:"ANN"', "joanna"):
        AccessRecord.objects.record(user=bob, action=AccessRecord.Action.SEARCH, query=text)
    run(end_user="ann")
    assert sorted(AccessRecord.objects.values_list("query", flat=True)) == ["", "", "", "joanna", "planning"]


def test_rule_that_names_an_erased_person_stays_and_is_in_the_receipt_by_its_id(alice, bob):
    create(alice, end_user="ann")
    RetentionRule.objects.create(name="other", query="topic:demo", days=30)
    rules = [
        RetentionRule.objects.create(name="by query", query="email:ann", days=30),
        RetentionRule.objects.create(name="Ann's", query="", days=30),
    ]
    out = io.StringIO()
    call_command("erase_person", "--end-user", "ann", "--no-input", stdout=out)
    ids = [rule.pk for rule in rules]
    assert AccessRecord.objects.get(action=AccessRecord.Action.ERASURE).details["retention rules"] == ids
    assert f"Retention rules that name the person stay: {ids[0]}, {ids[1]}." in out.getvalue()
    assert "ann" not in out.getvalue().lower()
    assert RetentionRule.objects.count() == 3


def test_access_log_keeps_who_read_an_erased_conversation(alice, bob):
    conversation = create(alice, end_user="ann")
    AccessRecord.objects.record(user=bob, action=AccessRecord.Action.READ, conversation_id=conversation.pk)
    run(end_user="ann")
    assert AccessRecord.objects.get().conversation_id == conversation.pk
    assert tables_with(conversation.pk) == {("AccessRecord", "conversation_id")}


def test_command_prints_a_receipt_without_content(person, alice):
    out = io.StringIO()
    call_command("erase_person", "--end-user", MARKER, "--no-input", stdout=out)
    text = out.getvalue()
    assert "conversations: 4\nitems: 13\ndeleted conversations: 1\n" in text
    assert "no table refers to the 5 ids of these conversations" in text
    assert MARKER not in text
    assert not Item.objects.filter(conversation__end_user=MARKER).exists()


@pytest.mark.parametrize(
    "command",
    [["erase_person", "--end-user", "ann", "--no-input"], ["purge_deleted_conversations"]],
    ids=lambda command: command[0],
)
def test_words_of_deleted_messages_leave_the_index_and_the_receipt_says_until_when_they_stay(alice, settings, command):
    settings.CONVERSATIONS_FULL_TEXT = True
    create(alice, text="hello")
    row = create(alice, end_user="ann", text=WORD)
    assert is_in_word_index(WORD)
    if command[0] == "purge_deleted_conversations":
        move_to_trash(row)
        DeletedConversation.objects.update(deleted_at=timezone.now() - timedelta(days=31))
    outputs = [io.StringIO(), io.StringIO()]
    call_command(*command, stdout=outputs[0])
    assert is_in_word_index(WORD) == ("can keep single words of deleted messages" in outputs[0].getvalue())
    call_command(*command, "--rebuild-index", stdout=outputs[1])
    assert not is_in_word_index(WORD)
    assert "it has no words of deleted messages" in outputs[1].getvalue()
    assert ItemText.objects.search_phrase("hello").count() == 3


def test_command_needs_a_person(alice):
    with pytest.raises(CommandError, match="Otherwise everything would be erased"):
        call_command("erase_person", "--no-input")
    with pytest.raises(CommandError, match="no user"):
        call_command("erase_person", "--owner", "nobody", "--no-input")


def test_trash_of_a_long_conversation_is_erased_even_if_nothing_can_be_restored(alice, settings):
    move_to_trash(create(alice, end_user="ann"))
    settings.CONVERSATIONS_RESTORE_DAYS = 0
    assert app_settings.restore_days == 0
    run(end_user="ann")
    assert not DeletedConversation.objects.exists()
