from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from conversations.models import Conversation, Item
from conversations.schema.include import INCLUDABLE
from conversations.transfer import remote_importer
from conversations.transfer.remote_importer import Copy, copy_conversations
from conversations.transfer.remote_server import NoListError, RemoteOutage, RemoteRefusal, RemoteServer
from tests.transfer.remote_stub import CREATED_AT, HEX, RemoteStub

ID, OTHER_ID = f"conv_{HEX}", f"conv_{HEX[:-1]}1"


def message(number: int, **members: object) -> dict[str, object]:
    content = [{"type": "input_text", "text": f"Grüße {number}"}]
    return {
        "id": f"msg_{CREATED_AT + number:08x}{'0' * 40}",
        "type": "message",
        "status": "completed",
        "content": content,
        "role": "user",
        **members,
    }


def copy(stub: RemoteStub, owner, *conversation_ids: str) -> list[Copy]:
    server = RemoteServer(base_url=stub.base_url, api_key="secret")
    try:
        return list(copy_conversations(server, conversation_ids, owner=owner))
    finally:
        server.close()


def stored_data(conversation_id: str = ID) -> list[object]:
    return list(Item.objects.filter(conversation=conversation_id).order_by("position").values_list("data", flat=True))


def test_copy_has_the_ids_metadata_items_and_times_of_the_original(stub, alice):
    items = [message(number) for number in range(1, 251)]
    stub.add(ID, *items, metadata={"topic": "demo"})
    assert copy(stub, alice, ID) == [Copy("added", ID, items=250)]
    conversation = Conversation.objects.get()
    created_at = datetime.fromtimestamp(CREATED_AT, tz=UTC)
    assert (conversation.pk, conversation.owner, conversation.created_at) == (ID, alice, created_at)
    assert (conversation.metadata, conversation.item_count, conversation.last_position) == ({"topic": "demo"}, 250, 250)
    assert stored_data() == items
    times = list(conversation.items.order_by("position").values_list("created_at", flat=True))
    assert [time.timestamp() - CREATED_AT for time in times] == list(range(1, 251))
    assert conversation.last_item_at == times[-1]
    assert Conversation.objects.filter(metadata_pairs__key="topic").count() == 1


def test_items_are_read_in_large_pages_with_every_member(stub, alice):
    stub.add(ID, *(message(number) for number in range(101)))
    copy(stub, alice, ID)
    first, second = [parse_qs(urlsplit(request).query) for request in stub.requests[1:]]
    assert (first["limit"], first["order"], first["include[]"]) == (["100"], ["asc"], list(INCLUDABLE))
    assert second["after"] == [message(99)["id"]]


def test_existing_conversations_are_not_requested(stub, alice):
    stub.add(ID, message(1))
    copy(stub, alice, ID)
    stub.requests.clear()
    assert copy(stub, alice, ID) == [Copy("present", ID)]
    assert stub.requests == []
    assert Item.objects.count() == 1


def test_conversation_of_another_user_is_reported(stub, alice, bob):
    stub.add(ID, message(1))
    copy(stub, alice, ID)
    assert copy(stub, bob, ID) == [Copy("failed", ID, reason="it exists and belongs to another user")]
    assert Conversation.objects.get().owner == alice


def test_conversation_that_cannot_be_read_does_not_stop_the_others(stub, alice):
    stub.add(OTHER_ID, message(1))
    stub.add(ID, *(message(number) for number in range(250)))
    stub.answers[f"/conversations/{OTHER_ID}/items"] = (500, {"error": {"message": "Broken."}})
    failures = {
        "conv_unknown": "Error code: 404 - Not found.",
        OTHER_ID: "Error code: 500 - Broken.",
        "../secret": "Invalid 'id': '../secret'. Expected an ID that begins with 'conv'.",
    }
    *failed, added = copy(stub, alice, *failures, ID)
    assert failed == [Copy("failed", name, reason=reason) for name, reason in failures.items()]
    assert added == Copy("added", ID, items=250)
    assert Conversation.objects.get().pk == ID


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"<html>", "/conversations/{ID}: the response is not JSON"),
        (b"[" * 100_000, "/conversations/{ID}: the response is not JSON"),
        ([], "/conversations/{ID}: the response is not a JSON object"),
    ],
)
def test_unreadable_response_is_reported(answer, reason, stub, alice):
    stub.answers[f"/conversations/{ID}"] = (200, answer)
    assert copy(stub, alice, ID) == [Copy("failed", ID, reason=reason.format(ID=ID))]


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ({"data": None}, "the response is not a list"),
        ({"data": [], "has_more": True}, "an empty page is not the last one"),
        ({"data": [{}] * 100}, "the server's list has an entry without an id"),
    ],
)
def test_items_that_are_no_list_are_reported_and_nothing_is_stored(items, reason, stub, alice):
    stub.add(ID)
    stub.answers[f"/conversations/{ID}/items"] = (200, items)
    [failed] = copy(stub, alice, ID)
    assert failed.reason.endswith(reason)
    assert not Conversation.objects.exists()


def test_server_that_ignores_the_cursor_is_detected(stub, alice):
    stub.add(ID, *(message(number) for number in range(201)))
    stub.ignores_after = True
    [failed] = copy(stub, alice, ID)
    assert failed.reason.endswith("the server ignores the parameter 'after', so only one page can be read")
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("status", [401, 429])
def test_refusal_of_the_key_or_the_rate_stops_at_once(status, stub, alice):
    stub.answers[f"/conversations/{ID}"] = (status, {"error": {"message": "No."}})
    stub.add(OTHER_ID)
    with pytest.raises(RemoteRefusal, match=f"{status} - "):
        copy(stub, alice, ID, OTHER_ID)
    assert len(stub.requests) == 1


def test_server_that_fails_several_times_in_a_row_stops_the_copying(stub, alice):
    names = [f"conv_{number}" for number in range(6)]
    for name in names:
        stub.add(name)
    for name in (names[0], *names[2:]):
        stub.answers[f"/conversations/{name}"] = (503, {})
    server = RemoteServer(base_url=stub.base_url, api_key="secret")
    copies = copy_conversations(server, names, owner=alice)
    kinds = [next(copies).kind for _ in range(5)]
    assert kinds == ["failed", "added", "failed", "failed", "failed"]
    with pytest.raises(RemoteOutage, match="503"):
        next(copies)
    server.close()


def test_connection_error_names_its_cause(stub, alice, monkeypatch):
    monkeypatch.setattr("conversations.transfer.remote_server.MAX_RETRIES", 0)
    stub.base_url = "http://127.0.0.1:1/v1"
    [failed] = copy(stub, alice, ID)
    assert failed.reason.startswith("Connection error. ")
    assert "refused" in failed.reason


def test_server_that_refuses_include_is_read_without_it(stub, alice):
    stub.refuses_include = True
    stub.add(ID, *(message(number) for number in range(101)))
    stub.add(OTHER_ID, message(1))
    server = RemoteServer(base_url=stub.base_url, api_key="secret")
    copies = list(copy_conversations(server, ["conv_unknown", ID, OTHER_ID], owner=alice))
    server.close()
    assert [copy.kind for copy in copies] == ["failed", "added", "added"]
    assert server.is_include_refused
    assert sum("include" in request for request in stub.requests) == 1


def test_list_of_conversations_is_read_by_pages(stub, alice, monkeypatch):
    monkeypatch.setattr(remote_importer, "IDS_PER_QUERY", 7)
    names = [f"conv_{number:03}" for number in range(205)]
    for name in names:
        stub.add(name)
    server = RemoteServer(base_url=stub.base_url, api_key="secret")
    copies = list(copy_conversations(server, server.conversation_ids(), owner=alice))
    server.close()
    assert [copy.conversation_id for copy in copies] == names
    assert list(Conversation.objects.order_by("pk").values_list("pk", flat=True)) == names


def test_missing_list_of_conversations_is_named(stub):
    stub.has_list = False
    server = RemoteServer(base_url=stub.base_url, api_key="secret")
    with pytest.raises(NoListError, match=r"/v1/ has no list of conversations \(Error code: 404"):
        list(server.conversation_ids())
    server.close()


def test_id_that_queries_for_the_creation_time_misread_is_reported(stub, alice):
    stub.add("conv_azure", created_at=CREATED_AT)
    [added] = copy(stub, alice, "conv_azure")
    assert added.losses == (
        "created_at: the id does not contain 2026-05-30T18:28:13+00:00, and queries for that time compare ids",
    )


def test_bare_texts_of_messages_become_parts(stub, alice):
    bare = {"id": "msg_1", "type": "message", "role": "assistant", "content": "Hi!", "status": None}
    stub.add(ID, bare, {**bare, "id": "msg_2", "role": "nobody"})
    [added] = copy(stub, alice, ID)
    assert (added.items, added.losses) == (2, ())
    first, second = stored_data()
    assert (first["id"], first["status"]) == ("msg_1", "completed")
    assert first["content"] == [{"type": "output_text", "text": "Hi!", "annotations": [], "logprobs": []}]
    assert second["content"] == "Hi!"


def test_parts_that_cannot_be_stored_are_reported_and_the_rest_is_kept(stub, alice):
    foreign = {"id": "x_1", "type": "thought", "text": "hm"}
    stub.add(
        ID,
        message(1),
        foreign,
        "text",
        message(2, id="a b"),
        message(1),
        message(3, text="\ud800 \0"),
        {"id": "y_1", "type": 5},
        message(4, id=["a"]),
        metadata={"a": "b", "n": 1, "k" * 65: "", "s": "\ud800"},
        created_at="today",
    )
    [added] = copy(stub, alice, ID)
    first, second, third, fourth, fifth = stored_data()
    assert (first, second) == (message(1), foreign)
    assert third == message(2, id=third["id"])
    assert fourth == message(3, text="\ufffd \0")
    assert fifth == message(4, id=fifth["id"])
    assert Conversation.objects.get().metadata == {"a": "b", "n": "1"}
    time = datetime.fromtimestamp(CREATED_AT, tz=UTC)
    assert Conversation.objects.get().created_at == time
    assert list(added.losses) == [
        f"created_at: 'today' is not a time. {time.isoformat()} is stored instead",
        "metadata: the value of 'n' is not a text, and is stored as '1'",
        "metadata: a pair is left out. Invalid property name in 'metadata': 'kkk...kkk' is too long. "
        "Expected a string with maximum length 64, but got a string with length 65 instead.",
        "metadata: a pair is left out. Invalid 'metadata.s': lone surrogate in a string. Expected text without it.",
        "item 3: left out, because it is not an object",
        f"item 4: the id 'a b' can't be stored. The new id is '{third['id']}'",
        f"item 5: left out, because '{message(1)['id']}' is in the conversation already",
        "item 6: lone surrogates in its text are replaced by U+FFFD",
        "item 7: left out. Invalid type for 'data.type': expected a string, but got an integer instead.",
        f"item 8: the id ['a'] can't be stored. The new id is '{fifth['id']}'",
    ]
    assert [copy.kind for copy in copy(stub, alice, ID)] == ["present"]


def test_metadata_beyond_the_limit_of_pairs_is_reported(stub, alice):
    stub.add(ID, metadata={str(number): "" for number in range(20)})
    stub.add(OTHER_ID, metadata=None)
    first, second = copy(stub, alice, ID, OTHER_ID)
    assert first.losses == ("metadata: only the first 16 of 20 pairs are stored",)
    assert second.losses == ()
    assert [len(row.metadata) for row in Conversation.objects.order_by("pk")] == [16, 0]


def test_items_whose_ids_have_no_plausible_time_get_the_time_before(stub, alice):
    late = {**message(1), "id": f"msg_f{'0' * 47}"}
    responses_id = {**message(2), "id": f"msg_{'a' * 16}00{CREATED_AT + 7:08x}{'b' * 24}"}
    early = {**message(3), "id": f"msg_{CREATED_AT + 3:08x}{'0' * 40}"}
    stub.add(ID, late, responses_id, early, {**message(4), "id": "msg_4"})
    copy(stub, alice, ID)
    times = Item.objects.order_by("position").values_list("created_at", flat=True)
    assert [time.timestamp() - CREATED_AT for time in times] == [0, 7, 7, 7]
