"""Erasing a person in the admin: confirmation, continuation, receipt, and nothing left."""

import re

import pytest
from django.db import connections
from django.test import Client
from django.urls import resolve, reverse
from django.utils.http import urlencode

from conversations import deletion
from conversations.admin import ConversationAdmin
from conversations.admin.access_record import render_details
from conversations.admin.actions import erase
from conversations.admin.list.titles import shorten_id
from conversations.models import AccessRecord, Conversation, DeletedConversation, Item, SavedView
from conversations.retention import erasure
from conversations.retention.holds import place_hold
from conversations.retention.receipt import COUNTED, Receipt
from conversations.trash import move_to_trash
from tests.admin.actions.bulk_delete_page import LIST_URL, hidden_fields
from tests.admin.actions.test_bulk_delete_traces import tables_containing

# Each step is a durable transaction of its own.
pytestmark = pytest.mark.django_db(transaction=True)

URL = reverse("admin:conversations_conversation_erase")
MARKER = "plantedmarker"
PERSONS = [
    {"owner": "alice"},
    {"end_user": MARKER},
    {"metadata_key": "email", "metadata_value": MARKER},
    {"owner": "alice", "end_user": MARKER, "metadata_key": "email", "metadata_value": MARKER},
]
ANN = {"end_user": "ann"}


def create(owner, text="Hello!", **options):
    items = [{"role": "user", "content": f"{text} {number}"} for number in range(2)]
    return Conversation.objects.create_with_items(owner=owner, items=items, **options)


def erase_url(person) -> str:
    return f"{URL}?{urlencode(person)}"


def confirm(client: Client, person, typed, **more):
    page = client.get(erase_url(person))
    return client.post(erase_url(person), {**hidden_fields(page), "typed": typed, **more}, follow=True)


def receipt_rows(response) -> dict[str, str]:
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td></tr>', response.content.decode())
    return dict(rows)


@pytest.fixture
def client(staff_client) -> Client:
    return staff_client("view_conversation", "erase_person")


@pytest.mark.parametrize("person", PERSONS, ids=str)
def test_marker_of_an_erased_person_is_in_no_table(client, alice, bob, person):
    metadata = {"email": MARKER}
    for _ in range(2):
        create(alice, MARKER, end_user=MARKER, metadata=metadata)
    move_to_trash(create(alice, MARKER, end_user=MARKER, metadata=metadata), deleted_by=bob)
    other = create(bob)
    SavedView.objects.create(owner=bob, name="person", query_string=f"owner=alice&end_user={MARKER}&q={MARKER}")
    query = f"owner=alice end_user={MARKER}"
    AccessRecord.objects.record(user=bob, action=AccessRecord.Action.SEARCH, query=query, conversation_count=3)
    page = client.get(erase_url(person)).content.decode()
    assert "<strong>3 conversations</strong>" in page
    assert "1 of them is in the trash." in page
    assert "on legal hold" not in page
    assert Conversation.objects.count() == 3
    response = confirm(client, person, "3")
    assert response.redirect_chain[0][0].startswith(f"{URL}?receipt=")
    rows = receipt_rows(response)
    assert [rows[name] for name in ("Conversations", "Items", "Deleted conversations")] == ["2", "4", "1"]
    assert [rows[name] for name in ("Saved views", "Search texts in the access log")] == ["1", "1"]
    assert rows["Erased by"] == "staff"
    assert "no table refers to the 3 ids" in response.content.decode()
    assert MARKER not in response.content.decode()
    assert tables_containing(MARKER) <= {"django_session"}
    assert Conversation.objects.get() == other
    entry = AccessRecord.objects.get(action="erasure")
    assert (entry.username, entry.conversation_count, entry.query) == ("staff", 3, "")
    assert entry.details["finished"]
    assert [entry.details[name] for name in COUNTED] == [2, 4, 1, 0, 1, 1, 0]


def test_held_conversations_stay_and_are_shown(client, alice):
    erased, held = create(alice, **ANN), create(alice, **ANN)
    held_copy = move_to_trash(create(alice, **ANN))
    for row in (held, held_copy):
        place_hold(row, reason="case", placed_by="test")
    html = client.get(erase_url(ANN)).content.decode()
    assert "<strong>1 conversation</strong>" in html
    assert "<strong>2 conversations</strong> stay, because they are on legal hold" in html
    assert f"<bdi>{shorten_id(held.pk)}</bdi></a>" in html
    assert "1 of them is in the trash." in html
    assert erased.pk not in html
    response = confirm(client, ANN, "1")
    assert "2 conversations stay, because they are on legal hold" in response.content.decode()
    assert Conversation.objects.get() == held
    assert held.items.count() == 2
    assert DeletedConversation.objects.get() == held_copy
    assert AccessRecord.objects.get(action="erasure").details["on legal hold"] == 2


@pytest.mark.parametrize("typed", ["", "1", "two", "02", "delete"])
def test_wrong_confirmation_erases_nothing(client, alice, typed):
    create(alice, **ANN), create(alice, **ANN)
    response = confirm(client, ANN, typed)
    assert "The number doesn&#x27;t match. Nothing was deleted." in response.content.decode()
    assert Conversation.objects.count() == 2
    assert not AccessRecord.objects.exists()


def test_search_texts_are_erased_of_a_person_without_conversations(client, bob):
    AccessRecord.objects.record(user=bob, action=AccessRecord.Action.SEARCH, query="end_user=ann")
    assert "<strong>0 conversations</strong>" in client.get(erase_url(ANN)).content.decode()
    assert receipt_rows(confirm(client, ANN, "0"))["Search texts in the access log"] == "1"
    assert AccessRecord.objects.get(action="search").query == ""


@pytest.mark.parametrize("capped", [True, False])
def test_uncounted_conversations_are_confirmed_by_typing_a_word(client, alice, monkeypatch, capped):
    monkeypatch.setattr(erase, "MAX_COUNT" if capped else "SECONDS", 1 if capped else 0)
    create(alice, **ANN), create(alice, **ANN)
    html = client.get(erase_url(ANN)).content.decode()
    assert ("<strong>1 or more conversations</strong>" if capped else "Too many to count.") in html
    assert "Type “delete” to confirm:" in html
    confirm(client, ANN, "2")
    assert Conversation.objects.count() == 2
    confirm(client, ANN, "delete")
    assert not Conversation.objects.exists()


@pytest.fixture
def long_erasure(alice, bob, monkeypatch) -> None:
    """The rows of an erasure of Ann that takes several requests in each of its phases."""
    monkeypatch.setattr(ConversationAdmin, "bulk_deletion_seconds", 0)
    monkeypatch.setattr(erasure, "PAGE", 2)
    monkeypatch.setattr(deletion, "MAX_CONVERSATIONS", 1)
    for _ in range(3):
        row = create(alice, **ANN)
        fork = row.fork(owner=bob)
        Conversation.objects.filter(pk=fork.pk).update(end_user="ben")
        move_to_trash(create(alice, **ANN))
        place_hold(create(alice, **ANN), reason="case", placed_by="test")
        AccessRecord.objects.record(user=bob, action=AccessRecord.Action.SEARCH, query="end_user=ann")


def test_erasure_continues_on_another_page_after_the_time_limit(client, long_erasure):
    response = confirm(client, ANN, "6")
    request_count = 1
    while not response.redirect_chain:
        html = response.content.decode()
        assert "erased so far. There may be more." in html
        assert AccessRecord.objects.get(action="erasure").details["finished"] is None
        response = client.post(erase_url(ANN), hidden_fields(response), follow=True)
        request_count += 1
        assert request_count < 40
    assert request_count > 6
    rows = receipt_rows(response)
    names = ("Conversations", "Items", "Deleted conversations", "Search texts in the access log")
    assert [rows[name] for name in names] == ["3", "6", "3", "3"]
    assert set(Conversation.objects.values_list("end_user", "is_held", "forked_from")) == {
        ("ann", True, ""),
        ("ben", False, ""),
    }
    assert not DeletedConversation.objects.exists()
    entry = AccessRecord.objects.get(action="erasure")  # one for all requests
    assert (entry.conversation_count, entry.details["on legal hold"]) == (6, 3)
    assert not AccessRecord.objects.exclude(query="").exists()


def test_page_that_is_sent_again_counts_nothing_twice(client, long_erasure):
    response = confirm(client, ANN, "6")
    while not AccessRecord.objects.get(action="erasure").conversation_count:
        response = client.post(erase_url(ANN), hidden_fields(response), follow=True)
    fields = hidden_fields(response)
    for _ in range(8):
        response = client.post(erase_url(ANN), fields, follow=True)
    while not response.redirect_chain:
        response = client.post(erase_url(ANN), hidden_fields(response), follow=True)
    rows = receipt_rows(response)
    assert [rows[name] for name in ("Conversations", "Items", "Deleted conversations")] == ["3", "6", "3"]
    receipt = AccessRecord.objects.get(action="erasure").details
    assert client.post(erase_url(ANN), fields, follow=True).redirect_chain == response.redirect_chain
    assert AccessRecord.objects.get(action="erasure").details == receipt


@pytest.mark.parametrize("person", [{"end_user": "ben"}, {"owner": "alice"}, {**ANN, "owner": "alice"}], ids=str)
def test_state_of_another_person_erases_nothing(client, alice, long_erasure, person):
    create(alice, end_user="ben")
    state = hidden_fields(confirm(client, ANN, "6"))["state"]
    before = set(Conversation.objects.all())
    for forged in (state, "forged", f"{state}x"):
        response = client.post(erase_url(person), {"expected": "1", "typed": "1", "state": forged}, follow=True)
        assert "to confirm:" in response.content.decode()
    assert set(Conversation.objects.all()) == before


def test_erasure_that_was_stopped_has_a_receipt_of_what_it_erased(client, long_erasure):
    confirm(client, ANN, "6")
    record = AccessRecord.objects.get(action="erasure")
    response = client.get(URL, {"receipt": record.pk})
    assert "This erasure was not finished." in response.content.decode()
    assert Receipt.from_dict(record.details).finished_at is None
    assert "<b>Started</b>" in render_details(record)
    assert "finished" not in render_details(record)


def test_receipt_page_shows_receipts_only(client, bob):
    record = AccessRecord.objects.record(user=bob, action=AccessRecord.Action.SEARCH, query="secret")
    for key in (record.pk, record.pk + 1, "", "x", "9" * 30):
        assert client.get(URL, {"receipt": key}).status_code == 404


ERRORS = {
    "owner=nobody": "No such user.",
    "end_user=": "Name an owner, an end user or a metadata value.",
    "metadata_key=email": "Give both a key and a value.",
    "metadata_value=x": "Give both a key and a value.",
    "end_user=ann&end_user=ben": "Give each value once.",
    f"end_user={'x' * 257}": "at most 256 characters",
    "end_user=%00": "Null characters are not allowed.",
}


@pytest.mark.parametrize("query", ERRORS)
def test_invalid_person_is_a_form_error_and_erases_nothing(client, alice, query):
    create(alice, **ANN)
    assert ERRORS[query] in client.get(f"{URL}?{query}").content.decode()
    form = {"expected": "1", "typed": "1", "state": ""}
    assert ERRORS[query] in client.post(f"{URL}?{query}", form).content.decode()
    assert Conversation.objects.count() == 1


def test_form_asks_for_the_person_first(client, alice):
    create(alice, **ANN)
    html = client.get(URL).content.decode()
    assert 'name="end_user"' in html
    assert "errornote" not in html
    client.post(URL, {"expected": "1", "typed": "1", "state": ""})
    assert Conversation.objects.exists()


def test_list_filtered_by_a_person_links_to_the_erasure(client, alice):
    create(alice, metadata={"email": "a@b"}, **ANN)
    email = {"metadata_key": "email", "metadata_value": "a@b"}
    cases = [
        ({}, ""),
        ({"owner": "alice"}, erase_url({"owner": "alice"})),
        (ANN, erase_url(ANN)),
        ({"q": "email:a@b"}, erase_url(email)),
        ({**email, "metadata_operator": "eq", **ANN}, erase_url({**ANN, **email})),
        ({**email, "metadata_operator": "prefix"}, ""),
        ({**ANN, "created_from": "2026-01-01"}, ""),
        ({**ANN, "q": "topic:("}, ""),
    ]
    for query, url in cases:
        html = client.get(LIST_URL, query).content.decode()
        links = re.findall(r'<a href="([^"]+)">Erase person</a>', html)
        assert links == ([url.replace("&", "&amp;")] if url else []), query


@pytest.mark.parametrize("codenames", [["view_conversation", "delete_conversation"], ["erase_person"]])
def test_erasure_requires_its_own_permission_and_that_to_view(staff_client, alice, codenames):
    create(alice, **ANN)
    client = staff_client(*codenames)
    assert client.get(erase_url(ANN)).status_code == 403
    assert client.post(erase_url(ANN), {"expected": "1", "typed": "1"}).status_code == 403
    assert URL not in client.get(LIST_URL).content.decode()
    assert Conversation.objects.exists()


def test_staff_who_do_not_see_all_conversations_may_not_erase(client, alice, settings):
    settings.CONVERSATIONS_VISIBLE_TO = "tests.visibility.visible_to_group"
    create(alice, **ANN)
    assert client.get(erase_url(ANN)).status_code == 403
    assert client.post(erase_url(ANN), {"expected": "1", "typed": "1"}).status_code == 403
    assert Item.objects.exists()


def test_erasure_without_csrf_token_is_refused(admin_user, alice):
    create(alice, **ANN)
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(erase_url(ANN), {"expected": "1", "typed": "1"}).status_code == 403
    assert Conversation.objects.exists()


def test_erasure_opts_out_of_atomic_requests():
    assert resolve(URL).func._non_atomic_requests == set(connections)
