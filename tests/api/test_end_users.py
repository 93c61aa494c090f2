"""The end users of an application with one API key, whom a header names."""

import pytest
from django.db import connection

from conversations.api.end_users import AZURE_HEADER, HEADER
from conversations.models import APIKey, Conversation
from tests.api.conftest import APIClient
from tests.api.test_urls import ENDPOINTS, OF_CONVERSATION, answer, each
from tests.queries import CapturedQueries

HELLO = {"type": "message", "role": "user", "content": "Hello!"}
SECRET = {**HELLO, "content": "secret"}


@pytest.fixture
def as_ann(alice_secret) -> APIClient:
    return APIClient(alice_secret, **{HEADER: "ann"})


@pytest.fixture
def as_ben(alice_secret) -> APIClient:
    return APIClient(alice_secret, **{HEADER: "ben"})


@each(OF_CONVERSATION)
def test_conversation_of_another_end_user_is_answered_like_one_that_does_not_exist(as_ann, as_ben, endpoint):
    conversation_id = as_ann.new_conversation(HELLO, topic="secret")
    before = as_ann.get(f"/conversations/{conversation_id}").json(), as_ann.items(conversation_id)
    ids = {"conversation_id": conversation_id, "item_id": before[1][0]["id"]}
    unknown_ids = {**ids, "conversation_id": "conv_none"}
    refused, unknown = (answer(endpoint.request(as_ben, **each), **each) for each in (ids, unknown_ids))
    assert refused == unknown
    assert refused[0] == 404
    assert (as_ann.get(f"/conversations/{conversation_id}").json(), as_ann.items(conversation_id)) == before
    assert endpoint.request(as_ann, **ids).status_code == 200


@each(OF_CONVERSATION)
def test_conversation_without_an_end_user_is_hidden_from_all_of_them(as_alice, as_ann, endpoint):
    conversation_id = as_alice.new_conversation(HELLO)
    ids = {"conversation_id": conversation_id, "item_id": as_alice.items(conversation_id)[0]["id"]}
    assert endpoint.request(as_ann, **ids).status_code == 404


@each(OF_CONVERSATION)
def test_key_without_the_header_acts_on_the_conversations_of_every_end_user(as_alice, as_ann, endpoint):
    conversation_id = as_ann.new_conversation(HELLO)
    ids = {"conversation_id": conversation_id, "item_id": as_ann.items(conversation_id)[0]["id"]}
    assert endpoint.request(as_alice, **ids).status_code == 200


def test_end_user_of_one_owner_is_nobody_to_another_owner(as_ann, bob_secret):
    conversation_id = as_ann.new_conversation(HELLO)
    other = APIClient(bob_secret, **{HEADER: "ann"})
    assert other.get(f"/conversations/{conversation_id}").status_code == 404
    assert other.get("/conversations").json()["data"] == []


@pytest.mark.parametrize("setting", ["", "tests.visibility.visible_to_group"])
def test_lists_and_suggestions_have_the_conversations_of_the_end_user_only(as_alice, as_ann, as_ben, settings, setting):
    settings.CONVERSATIONS_VISIBLE_TO = setting
    ids = {client: client.new_conversation(HELLO, topic=name) for client, name in ((as_ann, "ann"), (as_ben, "ben"))}
    owners_id = as_alice.new_conversation(topic="owner")
    queries = [{}, {"query": "topic:*"}, {"query": "topic:ann OR topic:ben OR topic:owner"}, {"query": "-topic:x"}]
    for query in queries:
        for client, name in ((as_ann, "ann"), (as_ben, "ben")):
            assert [row["id"] for row in client.get("/conversations", **query).json()["data"]] == [ids[client]]
            values = client.get("/conversation_metadata/values", key="topic").json()["data"]
            assert values == [name]
        everything = {row["id"] for row in as_alice.get("/conversations", **query).json()["data"]}
        assert everything == {*ids.values(), owners_id}
    assert as_ann.get("/conversations", query="topic:ben").json()["data"] == []
    assert as_alice.get("/conversation_metadata/values", key="topic").json()["data"] == ["ann", "ben", "owner"]


def test_full_text_search_is_among_the_conversations_of_the_end_user(as_ann, as_ben, settings):
    settings.CONVERSATIONS_FULL_TEXT = True
    conversation_id = as_ann.new_conversation(SECRET)
    as_ben.new_conversation(HELLO)
    for client, ids in ((as_ann, [conversation_id]), (as_ben, [])):
        assert [row["id"] for row in client.get("/conversations", query="secret").json()["data"]] == ids


def test_pages_of_an_end_user_have_each_conversation_once(as_ann, as_ben):
    ids = []
    for number in range(5):
        ids.append(as_ann.new_conversation(n=str(number)))
        as_ben.new_conversation(n=str(number))
    first = as_ann.get("/conversations", limit=3, query="n:*").json()
    rest = as_ann.get("/conversations", limit=3, query="n:*", after=first["last_id"]).json()
    assert [row["id"] for row in first["data"] + rest["data"]] == ids[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)


@pytest.mark.parametrize("setting", ["", "tests.visibility.visible_to_group"])
def test_references_and_ids_lead_to_items_of_the_same_end_user_only(as_alice, as_ann, as_ben, settings, setting):
    settings.CONVERSATIONS_VISIBLE_TO = setting
    item_id = as_ann.items(as_ann.new_conversation(SECRET))[0]["id"]
    reference = {"type": "item_reference", "id": item_id}
    guess = {**HELLO, "id": item_id}
    for path in ("/conversations", f"/conversations/{as_ben.new_conversation()}/items"):
        assert as_ben.post(path, {"items": [reference]}).status_code == 404
    [stored] = as_ben.items(as_ben.new_conversation(guess))
    assert stored["content"][0]["text"] == "Hello!"
    [copied] = as_ann.items(as_ann.new_conversation(reference))
    assert copied["content"][0]["text"] == "secret"
    # The owner sees all conversations, but an item still doesn't get from one end user to another.
    bens_id = as_ben.new_conversation()
    other_id = as_ann.items(as_ann.new_conversation(SECRET))[0]["id"]
    body = {"items": [{"type": "item_reference", "id": other_id}]}
    assert as_alice.post(f"/conversations/{bens_id}/items", body).status_code == 404


def test_fork_belongs_to_the_end_user_of_its_origin(as_alice, as_ann):
    origin_id = as_ann.new_conversation(HELLO)
    for client in (as_ann, as_alice):
        fork_id = client.post(f"/conversations/{origin_id}/fork").json()["id"]
        assert as_ann.get(f"/conversations/{fork_id}").status_code == 200


def test_created_conversation_has_the_end_user_and_the_answer_does_not_show_it(as_ann):
    answer = as_ann.post("/conversations", {}).json()
    assert list(answer) == ["id", "object", "created_at", "metadata"]
    assert Conversation.objects.get().end_user == "ann"


def test_key_of_another_end_user_is_another_request(as_alice, as_ann, alice_secret):
    clients = (as_ann, APIClient(alice_secret, **{HEADER: "None"}), as_alice)
    ids = [client.post("/conversations", {}, key="one").json()["id"] for client in clients * 2]
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3


def test_retry_is_no_repetition_of_another_end_users_request(as_alice, as_ann, as_ben):
    """Both deletions have the same URL and body. Only the one who sent the first gets its answer again."""
    conversation_id = as_ann.new_conversation(HELLO)
    assert as_ann.delete(f"/conversations/{conversation_id}", retry_count=0).status_code == 200
    for client in (as_ben, as_alice):
        assert client.delete(f"/conversations/{conversation_id}", retry_count=1).status_code == 404
    assert as_ann.delete(f"/conversations/{conversation_id}", retry_count=1).status_code == 200


@pytest.mark.parametrize("value", ["u", "x" * 256, "auth0|5f7c8ec7c33c6c004bbafe82", "a b", "Zoë", "東京"])
def test_name_of_an_end_user_has_up_to_256_characters(alice_secret, value):
    # A client sends UTF-8, and WSGI and ASGI decode the bytes as Latin-1.
    client = APIClient(alice_secret, **{HEADER: value.encode().decode("latin-1")})
    conversation_id = client.new_conversation()
    assert Conversation.objects.get().end_user == value
    assert client.get(f"/conversations/{conversation_id}").status_code == 200


@pytest.mark.parametrize("header", [HEADER, AZURE_HEADER])
def test_empty_and_long_names_are_refused(alice_secret, assert_error, header):
    too_long = (
        f"Invalid '{header}': string too long. Expected a string with maximum length 256, but got a string with length "
        "257 instead."
    )
    empty = (
        f"Invalid '{header}': empty string. Expected a string with minimum length 1, but got an empty string instead."
    )
    for value, message, code in (
        ("x" * 257, too_long, "string_above_max_length"),
        ("", empty, "empty_string"),
        (" ", empty, "empty_string"),
    ):
        client = APIClient(alice_secret, **{header: value})
        assert_error(client.post("/conversations", {}), 400, message, param=header, code=code)
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("value", ["\xff", "a\x00b"])
def test_name_that_can_not_be_stored_is_refused(alice_secret, value):
    response = APIClient(alice_secret, **{HEADER: value}).get("/conversations")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_value")
    assert response.json()["error"]["param"] == HEADER


def test_header_of_azure_is_the_same_header(alice_secret, as_ann, assert_error):
    conversation_id = as_ann.new_conversation()
    same = APIClient(alice_secret, **{AZURE_HEADER: "ann"})
    both = APIClient(alice_secret, **{AZURE_HEADER: "ann", HEADER: "ann"})
    for client in (same, both):
        assert client.get(f"/conversations/{conversation_id}").status_code == 200
    different = APIClient(alice_secret, **{AZURE_HEADER: "ann", HEADER: "Ann"})
    message = f"Invalid '{HEADER}': it differs from '{AZURE_HEADER}'. Send one of the two headers."
    for response in (different.get(f"/conversations/{conversation_id}"), different.post("/conversations", {})):
        assert_error(response, 400, message, param=HEADER, code="conflicting_end_users")
    assert Conversation.objects.count() == 1


@each(ENDPOINTS)
def test_key_that_requires_an_end_user_refuses_every_request_without_one(alice, endpoint, assert_error):
    _, secret = APIKey.create(user=alice, end_user_required=True)
    message = (
        f"Missing required header: '{HEADER}'. This API key requires the name of the end user whom a request is for."
    )
    ids = {"conversation_id": "conv_1", "item_id": "msg_1"}
    response = endpoint.request(APIClient(secret), **ids)
    assert_error(response, 400, message, param=HEADER, code="missing_required_parameter")
    assert not Conversation.objects.exists()
    for header in (HEADER, AZURE_HEADER):
        response = endpoint.request(APIClient(secret, **{header: "ann"}), **ids)
        assert b"Missing required header" not in response.content


def test_wrong_key_is_refused_before_the_header_is_read(db):
    assert APIClient("sk-conv-wrong", **{HEADER: ""}).get("/conversations").status_code == 401


def test_request_of_an_end_user_takes_as_many_queries_as_one_of_the_owner(as_alice, as_ann):
    counts = []
    for client in (as_alice, as_ann):
        conversation_id = client.new_conversation(HELLO, topic="demo")
        client.get("/conversations")
        with CapturedQueries(connection) as queries:
            client.get(f"/conversations/{conversation_id}")
            client.get(f"/conversations/{conversation_id}/items")
            client.get("/conversations")
            client.post("/conversations", {"items": [HELLO]})
        counts.append(len(queries))
    assert counts[0] == counts[1]
