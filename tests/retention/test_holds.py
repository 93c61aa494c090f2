"""Legal holds: no verb, API call, admin page, command or periodic task changes or deletes a held conversation."""

import gzip
import io
from datetime import timedelta

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from conversations.admin.metadata.form import metadata_digest
from conversations.deletion import BulkDelete, delete_conversation, purge_trash
from conversations.errors import APIError
from conversations.management.periodic import TASKS
from conversations.models import AccessRecord, Conversation, DeletedConversation, Item, RequestRecord
from conversations.retention.erasure import Erasure
from conversations.retention.holds import place_hold, release_hold
from conversations.retention.person import Person
from conversations.retention.redaction import redact_item
from conversations.schema.query.parser import parse_query
from conversations.transfer.exporter import Export
from conversations.transfer.importer import import_conversations
from conversations.trash import move_to_trash, restore
from tests.admin.actions.bulk_delete_page import LIST_URL, bulk_delete_url, confirm, hidden_fields, message_texts
from tests.api.conftest import APIClient
from tests.queries import CapturedQueries

# Batches are durable transactions of their own.
pytestmark = pytest.mark.django_db(transaction=True)
HELLO = {"role": "user", "content": "hello"}
REASON = "case 4711"


def create(owner, count=3, **options):
    return Conversation.objects.create_with_items(
        owner=owner, items=[HELLO] * count, metadata={"topic": "demo"}, **options
    )


@pytest.fixture
def held(alice):
    row = create(alice, end_user="ann")
    place_hold(row, reason=REASON, placed_by="test")
    return Conversation.objects.get(pk=row.pk)


def content(row):
    """Return all that is stored of a conversation: its row, items, index and trash copy."""
    pk = row.pk if isinstance(row, Conversation) else row.conversation_id
    conversations = Conversation.objects.filter(pk=pk)
    copies = DeletedConversation.objects.filter(conversation_id=pk)
    return (
        list(conversations.values()),
        list(Item.objects.filter(conversation=pk).order_by("position").values()),
        b"".join(Export(conversations)),
        [gzip.decompress(b"".join(copy.content())) for copy in copies],
        conversations.matching(parse_query("topic:demo")).count(),
    )


def admin_url(page, row):
    return reverse(f"admin:conversations_{row._meta.model_name}_{page}", args=[quote(row.pk)])


def run(name, *args, **options):
    stdout = io.StringIO()
    call_command(name, *args, stdout=stdout, stderr=io.StringIO(), **options)
    return stdout.getvalue()


def age_trash():
    DeletedConversation.objects.update(deleted_at=timezone.now() - timedelta(days=400))


# Every verb that changes or deletes, by name.
VERBS = {
    "delete_item": lambda row: row.delete_item(row.items.first().item_id),
    "rewind": lambda row: row.rewind(after=row.items.first().item_id),
    "rewind to the start": lambda row: row.rewind(after=None),
    "replace_metadata": lambda row: row.replace_metadata({"topic": "new"}),
    "replace_metadata by staff": lambda row: row.replace_metadata({"topic": "new"}, changed_by="test"),
    "delete_conversation": lambda row: delete_conversation(row),
    "redact_item": lambda row: redact_item(row, row.items.first().item_id, reason="r", redacted_by="test"),
    "move_to_trash": lambda row: move_to_trash(row),
    "delete": lambda row: row.delete(),
    "delete of a queryset": lambda row: Conversation.objects.filter(pk=row.pk).delete(),
}


def test_every_verb_of_a_conversation_is_in_the_walk():
    verbs = {name for name, value in vars(Conversation).items() if callable(value) and hasattr(value, "__wrapped__")}
    assert verbs - {"add_items", "fork"} == {"delete_item", "rewind", "replace_metadata"}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("days", [30, 0])
def test_verb_refuses_a_held_conversation_until_it_is_released(held, settings, verb, days):
    settings.CONVERSATIONS_RESTORE_DAYS = days
    before = content(held)
    with pytest.raises(APIError) as raised:
        VERBS[verb](Conversation.objects.get(pk=held.pk))
    assert (raised.value.status, raised.value.code) == (409, "conversation_held")
    assert content(held) == before
    release_hold(held, reason="", released_by="test")
    VERBS[verb](Conversation.objects.get(pk=held.pk))
    assert content(held) != before


def test_holds_are_not_set_or_released_past_the_log(held):
    with pytest.raises(TypeError):
        Conversation.objects.filter(pk=held.pk).update(is_held=False)
    with pytest.raises(TypeError):
        held.save()


CHANGES = {
    "deletion": lambda client, url, item: client.delete(url),
    "metadata": lambda client, url, item: client.post(url, {"metadata": {"topic": "new"}}),
    "deletion of an item": lambda client, url, item: client.delete(f"{url}/items/{item}"),
    "rewind": lambda client, url, item: client.post(f"{url}/rewind", {"after": item}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_api_answers_409_conversation_held(held, alice_secret, name):
    client, before = APIClient(alice_secret), content(held)
    response = CHANGES[name](client, f"/conversations/{held.pk}", held.items.first().item_id)
    assert response.status_code == 409
    error = response.json()["error"]
    assert (error["code"], error["type"]) == ("conversation_held", "invalid_request_error")
    assert held.pk in error["message"]
    assert response["x-should-retry"] == "false"
    assert content(held) == before
    assert not RequestRecord.objects.exists()


def test_api_of_another_user_does_not_learn_about_the_hold(held, bob_secret):
    client = APIClient(bob_secret)
    for change in CHANGES.values():
        assert change(client, f"/conversations/{held.pk}", held.items.first().item_id).status_code == 404


def test_held_conversation_is_read_appended_to_and_forked(held, alice_secret):
    client, url = APIClient(alice_secret), f"/conversations/{held.pk}"
    assert client.get(url).status_code == 200
    assert client.post(f"{url}/items", {"items": [HELLO]}).status_code == 200
    assert len(client.get(f"{url}/items").json()["data"]) == 4
    held.fork()
    fork = Conversation.objects.get(forked_from=held.pk)
    assert not fork.is_held
    fork.replace_metadata({})


def test_hold_costs_no_query_when_appending(alice, held):
    def queries(row):
        with CapturedQueries(connection) as captured:
            Conversation.objects.get(pk=row.pk).add_items([HELLO])
        return [query["sql"].replace(row.pk, "") for query in captured]

    free, of_held = queries(create(alice)), queries(held)
    assert len(free) == len(of_held)
    assert not any("is_held" in sql for sql in of_held[1:])  # The first reads the row.


@pytest.mark.parametrize("page", ["change", "delete"])
def test_admin_refuses_with_a_message(admin_client, held, page):
    before = content(held)
    seen = metadata_digest(held.metadata)
    form = {"metadata_key": "topic", "metadata_value": "new", "metadata_seen": seen, "post": "yes"}
    response = admin_client.post(admin_url(page, held), form, follow=True)
    assert "This conversation is on legal hold" in message_texts(response)[0]
    assert content(held) == before


def test_admin_page_of_a_held_conversation_shows_the_hold_and_no_form(admin_client, held):
    html = admin_client.get(admin_url("change", held)).content.decode()
    assert "Release legal hold" in html
    assert "On legal hold" in html
    assert 'name="metadata_key"' not in html
    assert "hello" in html


def test_bulk_deletion_in_the_admin_keeps_and_counts_held_conversations(admin_client, alice, held):
    create(alice)
    before, url = content(held), bulk_delete_url({"q": "topic:demo"})
    response = confirm(admin_client, admin_client.get(url), url, "2")
    assert message_texts(response) == ["Deleted 1 conversation.", "Kept 1 conversation that is on legal hold."]
    page = admin_client.post(LIST_URL, {"action": "delete_selected", ACTION_CHECKBOX_NAME: [held.pk]})
    response = admin_client.post(bulk_delete_url({}), {**hidden_fields(page), "typed": "1"}, follow=True)
    assert "Kept 1 conversation that is on legal hold." in message_texts(response)
    assert content(held) == before


def test_commands_keep_and_count_held_conversations(alice, held):
    create(alice, end_user="ann")
    before = content(held)
    output = run("delete_conversations", query="topic:demo", no_input=True)
    assert "Deleted 1 conversation with 3 items.\n" in output
    assert "Kept 1 conversation on legal hold.\n" in output
    for options in ({"owner": "alice"}, {"end_user": "ann"}, {"metadata": ["topic", "demo"]}):
        with pytest.raises(CommandError, match="1 conversation on legal hold"):
            run("erase_person", **options, no_input=True)
    assert content(held) == before


@pytest.mark.parametrize("count", [3, 1_500])
def test_hold_during_a_bulk_deletion_stops_it(alice, count):
    row = create(alice, count)
    deletion = BulkDelete(Conversation.objects.all(), query=parse_query("topic:demo"))
    batches = deletion._batches()
    [found] = next(batches)
    if count > 1_000:
        steps = deletion._delete_first_items(found)
        next(steps)
    place_hold(row, reason=REASON, placed_by="test")
    before = content(row)
    assert before[0]
    if count > 1_000:
        with pytest.raises(APIError) as raised:
            list(steps)
        assert raised.value.code == "conversation_held"
    assert deletion._delete([found]) == set()
    assert content(row) == before
    assert deletion.held_count == 1


def test_erasure_keeps_what_leads_to_a_held_conversation(alice, bob, held):
    fork = Conversation.objects.get(pk=held.fork().pk)
    erased = create(alice, end_user="ann")
    foreign_fork = erased.fork(owner=bob)
    Conversation.objects.filter(pk=foreign_fork.pk).update(end_user="ben")
    place_hold(foreign_fork, reason=REASON, placed_by="test")
    Conversation.objects.filter(pk=fork.pk).update(end_user="ben")
    erasure = Erasure(Person(end_user="ann"), erased_by="test")
    list(erasure)
    assert erasure.receipt.held_count == 1
    assert AccessRecord.objects.get(action="erasure").details["on legal hold"] == 1
    assert not Conversation.objects.filter(pk=erased.pk).exists()
    assert Conversation.objects.get(pk=fork.pk).forked_from == held.pk
    assert Conversation.objects.get(pk=foreign_fork.pk).forked_from == erased.pk


def test_import_of_a_held_conversation_changes_nothing(alice, held):
    export = b"".join(Export(Conversation.objects.all()))
    held.add_items([HELLO])
    before = content(held)
    kinds = [outcome.kind for outcome in import_conversations(io.BytesIO(export), owner=alice)]
    assert kinds == ["conflict"]
    assert content(held) == before


@pytest.fixture
def held_copy(alice):
    row = move_to_trash(create(alice, end_user="ann"))
    place_hold(row, reason=REASON, placed_by="test")
    age_trash()
    return DeletedConversation.objects.get()


def test_purge_keeps_and_counts_held_copies(alice, held_copy):
    move_to_trash(create(alice))
    age_trash()
    before = content(held_copy)
    output = run("purge_deleted_conversations")
    assert "Purged 1 deleted conversation.\n" in output
    assert "Kept 1 deleted conversation on legal hold.\n" in output
    for task in TASKS:
        if task.name == "purge":
            list(task.run())
    assert list(purge_trash()) == []
    assert DeletedConversation.objects.all().delete_with_parts(deleted_by="test") == 0
    with pytest.raises(CommandError, match="1 conversation on legal hold"):
        run("erase_person", owner="alice", no_input=True)
    assert content(held_copy) == before
    release_hold(held_copy, reason="", released_by="test")
    assert sum(purge_trash()) == 1


def test_admin_keeps_held_copies_with_a_message(admin_client, alice, held_copy):
    before = content(held_copy)
    response = admin_client.post(admin_url("delete", held_copy), {"post": "yes"}, follow=True)
    assert "This conversation is on legal hold" in message_texts(response)[0]
    list_url = reverse("admin:conversations_deletedconversation_changelist")
    selected = {"action": "delete_selected", ACTION_CHECKBOX_NAME: [held_copy.pk], "post": "yes"}
    response = admin_client.post(list_url, selected, follow=True)
    assert message_texts(response) == ["Kept 1 conversation that is on legal hold."]
    assert content(held_copy) == before


def test_restored_conversation_is_still_held(held_copy):
    restore(held_copy)
    row = Conversation.objects.get()
    assert row.is_held
    with pytest.raises(APIError):
        delete_conversation(row)


def test_admin_places_and_releases_a_hold_with_a_reason_in_the_log(admin_client, admin_user, alice):
    row = create(alice)
    url = admin_url("hold", row)
    assert "Place on legal hold" in admin_client.get(url).content.decode()
    response = admin_client.post(url, {"reason": REASON}, follow=True)
    assert message_texts(response) == ["This conversation is on legal hold now."]
    assert Conversation.objects.get().is_held
    assert "Release legal hold" in admin_client.get(url).content.decode()
    admin_client.post(url, {"reason": "closed", "release": "yes"})
    assert not Conversation.objects.get().is_held
    entries = AccessRecord.objects.filter(action__in=["hold", "release"]).order_by("pk")
    values = [(entry.user, entry.action, entry.conversation_id, entry.details["reason"]) for entry in entries]
    assert values == [(admin_user, "hold", row.pk, REASON), (admin_user, "release", row.pk, "closed")]
    admin_client.post(url, {"reason": "again", "release": "yes"})  # There is nothing to release.
    history = admin_client.get(admin_url("history", row)).content.decode().partition('id="change-history"')[2]
    assert [history.count(text) for text in ("Placed on legal hold.", "Released the legal hold.")] == [1, 1]
    assert "closed" not in history  # The access log, which has the reasons, takes a permission.


@pytest.mark.parametrize("reason", ["", " ", "x" * 501])
def test_hold_without_a_valid_reason_is_a_form_error(admin_client, alice, reason):
    row = create(alice)
    response = admin_client.post(admin_url("hold", row), {"reason": reason})
    assert response.context["form"].errors["reason"]
    assert not Conversation.objects.get().is_held


def test_hold_is_placed_and_released_in_the_trash(admin_client, alice):
    row = move_to_trash(create(alice))
    admin_client.post(admin_url("hold", row), {"reason": REASON})
    assert DeletedConversation.objects.get().is_held
    admin_client.post(admin_url("hold", row), {"reason": REASON, "release": "yes"})
    assert not DeletedConversation.objects.get().is_held


def test_hold_takes_a_right_of_its_own(client, django_user_model, alice):
    from django.contrib.auth.models import Permission

    row = create(alice)
    user = django_user_model.objects.create_user("staff", is_staff=True)
    rights = Permission.objects.filter(content_type__app_label="conversations")
    user.user_permissions.set(rights.exclude(codename="hold_conversation"))
    client.force_login(user)
    assert client.get(admin_url("hold", row)).status_code == 403
    assert client.post(admin_url("hold", row), {"reason": REASON}).status_code == 403
    assert "legal hold" not in client.get(admin_url("change", row)).content.decode()
    user.user_permissions.set(rights.filter(codename="hold_conversation"))
    assert client.post(admin_url("hold", row), {"reason": REASON}).status_code == 403  # may not view it
    assert not Conversation.objects.get().is_held
    user.user_permissions.set(rights.filter(codename__in=["hold_conversation", "view_conversation"]))
    assert client.post(admin_url("hold", row), {"reason": REASON}).status_code == 302
    assert Conversation.objects.get().is_held


def test_command_places_and_releases_holds_by_id_and_query(alice):
    rows = [create(alice) for _ in range(2)]
    other = Conversation.objects.create_with_items(owner=alice)
    copy = move_to_trash(Conversation.objects.create_with_items(owner=alice))
    output = run("hold_conversations", other.pk, copy.conversation_id, query="topic:demo", reason=REASON)
    assert output == "Placed a hold on 4 conversations.\n"
    assert Conversation.objects.filter(is_held=True).count() == 3
    assert DeletedConversation.objects.get().is_held
    assert AccessRecord.objects.filter(username="manage.py hold_conversations", action="hold").count() == 4
    assert run("hold_conversations", other.pk, reason=REASON) == (
        "Placed a hold on 0 conversations.\nLeft 1 conversation as they were.\n"
    )
    assert run("hold_conversations", rows[0].pk, release=True) == "Released the hold on 1 conversation.\n"
    assert not Conversation.objects.get(pk=rows[0].pk).is_held


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ([], {"reason": REASON}, "Name conversations"),
        (["conv_unknown"], {"reason": REASON}, "no conversation with this id: conv_unknown"),
        (["conv_unknown"], {}, "Give the reason"),
        ([], {"query": "", "reason": REASON}, "match everything"),
        ([], {"query": "topic:", "reason": REASON}, "Invalid 'query'"),
    ],
)
def test_command_refuses_wrong_input(db, arguments, options, message):
    with pytest.raises(CommandError, match=message):
        run("hold_conversations", *arguments, **options)
