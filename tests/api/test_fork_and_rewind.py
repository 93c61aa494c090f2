import pytest

from conversations.models import Conversation, writer

ITEMS = [{"role": "user", "content": f"{number}", "id": f"msg_{number}"} for number in range(3)]


@pytest.fixture
def conversation_id(as_alice) -> str:
    return as_alice.new_conversation(*ITEMS, topic="demo")


def ids(client, conversation_id):
    return [item["id"] for item in client.items(conversation_id)]


@pytest.mark.parametrize("body", [None, {}, {"after": None, "metadata": None}])
def test_fork_without_parameters_is_a_complete_copy(as_alice, conversation_id, body):
    response = as_alice.post(f"/conversations/{conversation_id}/fork", body)
    assert response.status_code == 200
    assert list(response.json()) == ["id", "object", "created_at", "metadata"]
    fork_id = response.json()["id"]
    assert fork_id != conversation_id
    assert response.json()["metadata"] == {"topic": "demo"}
    assert as_alice.items(fork_id) == as_alice.items(conversation_id)
    assert as_alice.get(f"/conversations/{fork_id}").json() == response.json()


def test_fork_ends_after_an_item_and_has_metadata_of_its_own(as_alice, conversation_id):
    response = as_alice.post(f"/conversations/{conversation_id}/fork", {"after": "msg_1", "metadata": {"n": "2"}})
    assert response.json()["metadata"] == {"n": "2"}
    assert ids(as_alice, response.json()["id"]) == ["msg_0", "msg_1"]
    assert Conversation.objects.get(pk=response.json()["id"]).forked_from == conversation_id
    assert as_alice.get("/conversations", query="n:2").json()["data"] == [response.json()]


def test_rewind_returns_the_conversation_without_later_items(as_alice, conversation_id):
    before = as_alice.get(f"/conversations/{conversation_id}").content
    response = as_alice.post(f"/conversations/{conversation_id}/rewind", {"after": "msg_0"})
    assert (response.status_code, response.content) == (200, before)
    assert ids(as_alice, conversation_id) == ["msg_0"]


@pytest.mark.parametrize("action", ["fork", "rewind"])
def test_unknown_item_is_not_found_and_changes_nothing(as_alice, conversation_id, assert_error, action):
    response = as_alice.post(f"/conversations/{conversation_id}/{action}", {"after": "msg_none"})
    assert_error(response, 404, "No item found with id 'msg_none'", param="after")
    assert Conversation.objects.count() == 1
    assert len(ids(as_alice, conversation_id)) == 3


@pytest.mark.parametrize("body", [None, {}])
def test_rewind_requires_an_item(as_alice, conversation_id, assert_error, body):
    response = as_alice.post(f"/conversations/{conversation_id}/rewind", body)
    message = "Missing required parameter: 'after'."
    assert_error(response, 400, message, param="after", code="missing_required_parameter")
    assert len(ids(as_alice, conversation_id)) == 3


@pytest.mark.parametrize(
    ("action", "body", "param", "code"),
    [
        ("fork", {"after": 1}, "after", "invalid_type"),
        ("rewind", {"after": 1}, "after", "invalid_type"),
        ("rewind", {"after": None}, "after", "invalid_type"),
        ("fork", {"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
        ("fork", {"items": []}, "items", "unknown_parameter"),
        ("rewind", {"after": "msg_0", "metadata": {}}, "metadata", "unknown_parameter"),
    ],
)
def test_invalid_body_is_refused(as_alice, conversation_id, action, body, param, code):
    response = as_alice.post(f"/conversations/{conversation_id}/{action}", body)
    error = response.json()["error"]
    assert (response.status_code, error["param"], error["code"]) == (400, param, code)
    assert Conversation.objects.count() == 1


def test_fork_of_a_long_conversation_is_refused(as_alice, conversation_id, monkeypatch, assert_error):
    monkeypatch.setattr(writer, "MAX_FORKED_ITEMS", 2)
    response = as_alice.post(f"/conversations/{conversation_id}/fork")
    message = "Too many items to fork: 3. Expected at most 2. Name an earlier item in 'after'."
    assert_error(response, 400, message, param="after", code="too_many_items")
    assert as_alice.post(f"/conversations/{conversation_id}/fork", {"after": "msg_1"}).status_code == 200


@pytest.mark.parametrize("action", ["fork", "rewind"])
def test_conversation_of_another_user_is_not_found(as_alice, as_bob, conversation_id, assert_error, action):
    response = as_bob.post(f"/conversations/{conversation_id}/{action}", {"after": "msg_0"})
    assert_error(response, 404, f"Conversation with id '{conversation_id}' not found.")
    assert Conversation.objects.count() == 1
    assert len(ids(as_alice, conversation_id)) == 3
