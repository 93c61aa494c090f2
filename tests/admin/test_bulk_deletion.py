import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import resolve, reverse
from django.utils import timezone
from django.utils.http import urlencode

from conversations.admin import ConversationAdmin, bulk_deletion, selection
from conversations.models import AccessRecord, Conversation, DeletedConversation, Item, MetadataPair
from conversations.schema.items import validate_items
from conversations.trashing import purge

LIST_URL = reverse("admin:conversations_conversation_changelist")
URL = reverse("admin:conversations_conversation_bulk_deletion")
DEMO = {"metadata_key": "topic", "metadata_operator": "eq", "metadata_value": "demo"}
PLANTED = "plantedword"


def create(owner, topic: str = "demo", **metadata: str) -> Conversation:
    items = validate_items([{"role": "user", "content": PLANTED}] * 2)
    return Conversation.create_with_items(owner=owner, metadata={"topic": topic, **metadata}, items=items)


def matching(query: dict[str, str]) -> str:
    return f"{URL}?{urlencode(query)}"


def hidden(response) -> dict[str, object]:
    """What the form of a page sends besides what is typed."""
    found = re.findall(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?', response.content.decode())
    fields: dict[str, object] = {name: value for name, value in found if name != ACTION_CHECKBOX_NAME}
    return {**fields, ACTION_CHECKBOX_NAME: [value for name, value in found if name == ACTION_CHECKBOX_NAME]}


def confirm(client: Client, page, url: str, typed: str, **more):
    return client.post(url, {**hidden(page), "typed": typed, **more}, follow=True)


def select(client: Client, *conversations: Conversation):
    ids = [conversation.pk for conversation in conversations]
    return client.post(LIST_URL, {"action": "delete_selected", ACTION_CHECKBOX_NAME: ids})


def messages(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


@pytest.fixture
def client(staff_client) -> Client:
    return staff_client("view_conversation", "delete_conversation")


def test_ticked_rows_are_deleted_after_their_number_was_typed(client, alice):
    one, other, stays = create(alice), create(alice), create(alice)
    page = select(client, one, other)
    html = page.content.decode()
    assert "<strong>2 conversations</strong>" in html
    assert "Type the number 2 to confirm:" in html
    assert Conversation.objects.count() == 3
    response = confirm(client, page, URL, "2")
    assert messages(response) == ["Deleted 2 conversations."]
    assert Conversation.objects.get() == stays
    assert Item.objects.count() == 2
    assert MetadataPair.objects.get().conversation == stays
    assert set(DeletedConversation.objects.values_list("conversation_id", "deleted_by_username")) == {
        (one.pk, "staff"),
        (other.pk, "staff"),
    }


def test_all_that_match_the_filter_are_deleted(client, alice, bob):
    gone = [create(alice) for _ in range(3)]
    stay = [create(alice, "other"), create(bob)]
    url = matching({**DEMO, "owner": "alice"})
    page = client.get(url)
    assert "<strong>3 conversations</strong>" in page.content.decode()
    assert "owner=alice" in page.content.decode()
    response = confirm(client, page, url, "3")
    assert messages(response) == ["Deleted 3 conversations."]
    assert response.redirect_chain == [(f"{LIST_URL}?{urlencode({**DEMO, 'owner': 'alice'})}", 302)]
    assert set(Conversation.objects.all()) == set(stay)
    assert set(LogEntry.objects.values_list("object_id", "action_flag", "user__username")) == {
        (conversation.pk, 3, "staff") for conversation in gone
    }


def test_the_list_leads_to_it_where_there_is_a_filter(client, alice):
    conversation = create(alice)
    html = client.get(LIST_URL, {**DEMO, "before": conversation.pk}).content.decode()
    assert f'<a href="{matching(DEMO)}">Delete all that match</a>'.replace("&", "&amp;") in html
    assert URL not in client.get(LIST_URL).content.decode()


@pytest.mark.parametrize("typed", ["", "3", "two", "2 conversations", "02", "delete"])
def test_nothing_is_deleted_where_something_else_was_typed(client, alice, typed):
    one, other = create(alice), create(alice)
    for page, url in ((select(client, one, other), URL), (client.get(matching(DEMO)), matching(DEMO))):
        response = confirm(client, page, url, typed)
        assert "This is not what was asked for. Nothing was deleted." in response.content.decode()
        assert hidden(response) == hidden(page) | {"csrfmiddlewaretoken": hidden(response)["csrfmiddlewaretoken"]}
    assert Conversation.objects.count() == 2
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("missing", ["expected", "newest_id", "deleted", "scope"])
def test_nothing_is_deleted_where_a_part_of_the_form_is_missing(client, alice, missing):
    create(alice)
    page = client.get(matching(DEMO))
    sent = {name: value for name, value in hidden(page).items() if name != missing}
    client.post(matching(DEMO), {**sent, "typed": "1"})
    client.post(matching(DEMO), {**sent, "typed": ""})
    assert Conversation.objects.exists()


def test_rows_that_get_lost_on_the_way_do_not_become_all_rows(client, alice):
    one, _other = create(alice), create(alice)
    sent = hidden(select(client, one))
    del sent[ACTION_CHECKBOX_NAME]
    response = client.post(URL, {**sent, "typed": "1"}, follow=True)
    assert messages(response) == ["Deleted 0 conversations."]
    assert Conversation.objects.count() == 2


def test_what_comes_to_match_after_the_page_stays(client, alice):
    create(alice)
    page = client.get(matching(DEMO))
    later = create(alice)
    response = confirm(client, page, matching(DEMO), "1")
    assert messages(response) == ["Deleted 1 conversation."]
    assert Conversation.objects.get() == later


def test_a_filter_that_makes_no_sense_deletes_nothing(client, alice):
    create(alice)
    for query in ({"q": "topic:("}, {"color": "red"}, {"owner": "carol"}, {**DEMO, "metadata_operator": "resembles"}):
        response = client.get(matching(query), follow=True)
        assert "There is nothing to delete." in messages(response)
        sent = {**hidden(client.get(matching(DEMO))), "typed": "1"}
        client.post(matching(query), sent)
    assert Conversation.objects.exists()


def test_a_capped_number_is_told_as_such_and_a_word_is_asked_for(client, alice, monkeypatch):
    monkeypatch.setattr(selection, "MAX_COUNT", 2)
    for _ in range(3):
        create(alice)
    page = client.get(matching(DEMO))
    assert "<strong>2+ conversations</strong>: they are counted no further." in page.content.decode()
    assert "Type “delete” to confirm:" in page.content.decode()
    confirm(client, page, matching(DEMO), "2")
    assert Conversation.objects.count() == 3
    confirm(client, page, matching(DEMO), "delete")
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("is_selected", [True, False])
def test_after_the_time_limit_a_page_goes_on(client, alice, monkeypatch, is_selected):
    monkeypatch.setattr(ConversationAdmin, "bulk_deletion_seconds", 0)
    monkeypatch.setattr(bulk_deletion, "BATCH", 2)
    conversations = [create(alice) for _ in range(4)]
    url = URL if is_selected else matching(DEMO)
    page = select(client, *conversations) if is_selected else client.get(url)
    response = confirm(client, page, url, "4")
    for deleted in (1, 2, 3):
        assert f"<strong>{deleted} conversation" in response.content.decode()
        assert Conversation.objects.count() == 4 - deleted
        later = create(alice)
        response = client.post(url, hidden(response), follow=True)
        later.delete_with_items()
    if response.redirect_chain == []:  # the limit came with the last one
        response = client.post(url, hidden(response), follow=True)
    assert messages(response) == ["Deleted 4 conversations."]
    assert not Conversation.objects.exists()


def test_each_conversation_has_a_transaction_of_its_own(client, alice, monkeypatch):
    _first, second = create(alice), create(alice)
    page = client.get(matching(DEMO))
    delete = Conversation.delete_with_items

    def fail(self):
        delete(self)
        if self.pk is None and not Conversation.objects.filter(pk=second.pk).exists():
            raise RuntimeError("power cut")

    monkeypatch.setattr(ConversationAdmin, "delete_model", lambda self, request, obj: fail(obj))
    client.raise_request_exception = False
    assert confirm(client, page, matching(DEMO), "2").status_code == 500
    assert Conversation.objects.get() == second
    assert Item.objects.count() == 2
    assert LogEntry.objects.count() == 1


def test_a_host_whose_requests_are_transactions_changes_nothing_of_that():
    assert resolve(URL).func._non_atomic_requests == {"default"}


def test_conversations_that_are_gone_already_do_no_harm(client, alice, monkeypatch):
    first, _second = create(alice), create(alice)
    page = client.get(matching(DEMO))
    delete = ConversationAdmin.delete_model

    def too_late(self, request, obj):
        if obj == first:
            Conversation.objects.filter(pk=obj.pk).delete()
        delete(self, request, obj)

    monkeypatch.setattr(ConversationAdmin, "delete_model", too_late)
    response = confirm(client, page, matching(DEMO), "2")
    assert messages(response)[0].startswith("Deleted 1 conversation")


def test_without_the_permission_nothing_is_deleted(staff_client, alice):
    client = staff_client("view_conversation", "change_conversation")
    conversation = create(alice)
    sent = {"scope": "matching", "expected": "1", "newest_id": conversation.pk, "deleted": 0, "kept": 0, "typed": "1"}
    assert client.get(matching(DEMO)).status_code == 403
    assert client.post(matching(DEMO), sent).status_code == 403
    select(client, conversation)
    assert Conversation.objects.exists()
    html = client.get(LIST_URL, DEMO).content.decode()
    assert "delete_selected" not in html
    assert URL not in html


def test_the_right_to_delete_without_the_list_is_not_enough(staff_client, alice):
    create(alice)
    assert staff_client("delete_conversation").get(matching(DEMO)).status_code == 403


def test_a_request_from_elsewhere_deletes_nothing(admin_user, alice):
    conversation = create(alice)
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    sent = {"scope": "matching", "expected": "1", "newest_id": conversation.pk, "deleted": 0, "kept": 0, "typed": "1"}
    assert client.post(matching(DEMO), sent).status_code == 403
    assert Conversation.objects.exists()


def test_conversations_that_a_subclass_protects_are_kept_and_told(alice, bob, rf):
    class OnlyOfAlice(ConversationAdmin):
        def has_delete_permission(self, request, obj=None):
            return super().has_delete_permission(request, obj) and (obj is None or obj.owner == alice)

    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_conversation", "delete_conversation"]))
    gone, stays = create(alice), create(bob)
    request = RequestFactory().post(
        matching(DEMO),
        {"scope": "matching", "expected": "2", "typed": "2", "newest_id": stays.pk, "deleted": 0, "kept": 0},
    )
    told = []
    request.user, request.session = staff, {}
    model_admin = OnlyOfAlice(Conversation, admin.site)
    model_admin.message_user = lambda request, message, level: told.append(message)
    model_admin.bulk_deletion_view(request)
    assert Conversation.objects.get() == stays
    assert not Conversation.objects.filter(pk=gone.pk).exists()
    assert told[0] == "Deleted 1 conversation."
    assert told[1].startswith("Kept 1 conversation that you may not delete")
    assert LogEntry.objects.count() == 1


def test_what_was_planted_is_found_in_no_table_once_it_is_purged(admin_client, alice):
    url = matching({"owner": "alice"})
    create(alice, note=PLANTED)
    create(alice, **{PLANTED: "x"})
    page = admin_client.get(url)
    assert {"conversations_conversation", "conversations_item", "conversations_metadatapair"} <= holding(PLANTED)
    confirm(admin_client, page, url, "2")
    DeletedConversation.objects.update(deleted_at=timezone.now() - timedelta(days=60))
    assert sum(purge()) == 2
    assert holding(PLANTED) == set()


def test_without_days_to_restore_it_is_in_no_table_at_once(admin_client, alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 0
    settings.CONVERSATIONS_FULL_TEXT = False
    url = matching({"owner": "alice"})
    create(alice, note=PLANTED)
    page = admin_client.get(url)
    assert "deleted for good at once" in page.content.decode()
    confirm(admin_client, page, url, "1")
    assert holding(PLANTED) == set()


def holding(text: str) -> set[str]:
    """The tables that have it anywhere, in whatever is in the database."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            name = connection.ops.quote_name(table)
            cursor.execute(f"SELECT * FROM {name}")
            if any(
                text in str(value) or text.encode() in bytes_of(value) for row in cursor.fetchall() for value in row
            ):
                found.add(table)
    return found


def bytes_of(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else b""


def test_looking_is_no_reading(admin_client, alice):
    create(alice)
    html = admin_client.get(matching(DEMO)).content.decode()
    assert PLANTED not in html
    assert not AccessRecord.objects.exists()


def test_queries_grow_with_conversations_and_not_with_their_items(client, alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 0

    def queries(count: int) -> int:
        conversation = Conversation.create_with_items(owner=alice, metadata={"topic": "demo"})
        if count:
            conversation.add_items(items=validate_items([{"role": "user", "content": "hi"}]) * count)
        page = client.get(matching(DEMO))
        with CaptureQueriesContext(connection) as captured:
            client.post(matching(DEMO), {**hidden(page), "typed": "1"})
        assert not Conversation.objects.exists()
        return len(captured)

    queries(1)  # the content type is looked up once
    assert queries(1) == queries(2_000) <= 20
