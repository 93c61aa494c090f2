"""Retries of OpenAI's clients, which count them in a header, without an Idempotency-Key."""

from datetime import timedelta

import pytest
from django.db import connection, connections, router
from django.utils import timezone

from conversations.models import APIKey, Conversation, RequestRecord
from tests.api.conftest import APIClient
from tests.queries import CapturedQueries

MESSAGE = {"type": "message", "role": "user", "content": "Hello!"}
ITEMS = {"items": [MESSAGE]}
REPLAYED = "Idempotency-Replayed"


@pytest.fixture
def conversation_id(as_alice):
    return as_alice.new_conversation(MESSAGE)


@pytest.fixture
def path(conversation_id):
    return f"/conversations/{conversation_id}/items"


def assert_replayed(first, second):
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    assert (first.get(REPLAYED), second.get(REPLAYED)) == (None, "true")


def assert_executed(response):
    assert (response.status_code, response.get(REPLAYED)) == (200, None)


def test_retried_append_gets_the_first_answer_for_each_count_once(as_alice, path):
    first = as_alice.post(path, ITEMS, retry_count=0)
    assert_replayed(first, as_alice.post(path, ITEMS, retry_count=1))
    assert_replayed(first, as_alice.post(path, ITEMS, retry_count=2))
    assert len(as_alice.items(path.split("/")[2])) == 2
    assert_executed(as_alice.post(path, ITEMS, retry_count=2))
    assert len(as_alice.items(path.split("/")[2])) == 3


def test_retry_of_an_append_that_never_arrived_is_executed_and_recorded(as_alice, path):
    first = as_alice.post(path, ITEMS, retry_count=1)
    assert_executed(first)
    assert_replayed(first, as_alice.post(path, ITEMS, retry_count=2))


def test_equal_appends_are_both_executed_and_both_answered_again(as_alice, path):
    first, second = (as_alice.post(path, ITEMS, retry_count=0) for _ in range(2))
    assert first.json()["first_id"] != second.json()["first_id"]
    assert_replayed(first, as_alice.post(path, ITEMS, retry_count=1))
    assert_replayed(second, as_alice.post(path, ITEMS, retry_count=1))
    assert_executed(as_alice.post(path, ITEMS, retry_count=1))


def test_retried_append_of_items_with_ids_gets_the_first_answer(as_alice, path):
    body = {"items": [{**MESSAGE, "id": "msg_mine"}]}
    first = as_alice.post(path, body, retry_count=0)
    assert_replayed(first, as_alice.post(path, body, retry_count=1))
    assert as_alice.post(path, body).status_code == 400


def test_retry_of_another_body_path_user_or_key_is_executed(as_alice, alice, as_bob, path):
    as_alice.post(path, ITEMS, retry_count=0)
    assert_executed(as_alice.post(path, {"items": [MESSAGE, MESSAGE]}, retry_count=1))
    assert_executed(as_alice.post(f"/conversations/{as_alice.new_conversation()}/items", ITEMS, retry_count=1))
    assert_executed(APIClient(APIKey.create(user=alice)[1]).post(path, ITEMS, retry_count=1))
    assert as_bob.post(path, ITEMS, retry_count=1).status_code == 404


def test_retried_update_gets_the_first_answer_and_keeps_later_metadata(as_alice, conversation_id):
    body = {"metadata": {"topic": "first"}}
    first = as_alice.post(f"/conversations/{conversation_id}", body, retry_count=0)
    as_alice.post(f"/conversations/{conversation_id}", {"metadata": {"topic": "second"}}, retry_count=0)
    assert_replayed(first, as_alice.post(f"/conversations/{conversation_id}", body, retry_count=1))
    assert Conversation.objects.get().metadata == {"topic": "second"}


@pytest.mark.parametrize("headers", [{"retry_count": 1}, {"key": "one"}, {"key": "one", "retry_count": 1}])
def test_retried_deletion_succeeds_again(as_alice, path, headers):
    first_headers = headers | ({"retry_count": 0} if "retry_count" in headers else {})
    item_path = f"{path}/{as_alice.items(path.split('/')[2])[0]['id']}"
    for url in (item_path, path.removesuffix("/items")):
        keys = {"key": url} if "key" in headers else {}
        first = as_alice.delete(url, **first_headers | keys)
        assert_replayed(first, as_alice.delete(url, **headers | keys))
        assert as_alice.delete(url).status_code == 404
    assert not Conversation.objects.exists()


def test_retried_deletion_of_an_unknown_conversation_is_an_error(as_alice, as_bob, conversation_id):
    assert as_alice.delete("/conversations/conv_unknown", retry_count=1).status_code == 404
    as_alice.delete(f"/conversations/{conversation_id}", retry_count=0)
    assert as_bob.delete(f"/conversations/{conversation_id}", retry_count=1).status_code == 404


def test_retried_rewind_keeps_the_items_that_were_added_since(as_alice, path):
    rewind = path.replace("/items", "/rewind")
    body = {"after": as_alice.items(path.split("/")[2])[0]["id"]}
    first = as_alice.post(rewind, body, retry_count=0)
    as_alice.post(path, ITEMS)
    assert_replayed(first, as_alice.post(rewind, body, retry_count=1))
    assert len(as_alice.items(path.split("/")[2])) == 2


def test_retry_after_a_minute_is_executed(as_alice, path):
    as_alice.post(path, ITEMS, retry_count=0)
    RequestRecord.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    assert_executed(as_alice.post(path, ITEMS, retry_count=1))


def test_retried_create_without_a_key_is_always_executed(as_alice, conversation_id):
    for url in ("/conversations", f"/conversations/{conversation_id}/fork"):
        first, second = (as_alice.post(url, {}, retry_count=count) for count in range(2))
        assert first.json()["id"] != second.json()["id"]
    assert not RequestRecord.objects.exists()


def test_setting_turns_the_recognition_of_retries_off(as_alice, path, settings):
    settings.CONVERSATIONS_RECOGNIZE_RETRIES = False
    for count in range(2):
        assert_executed(as_alice.post(path, ITEMS, retry_count=count))
    assert not RequestRecord.objects.exists()


@pytest.mark.parametrize("retry_count", ["", "one", "-1", "1" * 20])
def test_header_that_counts_nothing_is_ignored(as_alice, path, retry_count):
    for _ in range(2):
        assert_executed(as_alice.post(path, ITEMS, retry_count=retry_count))
    assert not RequestRecord.objects.exists()


def test_count_costs_at_most_one_statement(as_alice, path):
    for url, body in [("/conversations", ITEMS), (path, ITEMS), (path.removesuffix("/items"), {"metadata": {}})]:
        counts = []
        for retry_count in (None, 0):
            with CapturedQueries(connections[router.db_for_write(RequestRecord)]) as queries:
                assert as_alice.post(url, body, retry_count=retry_count).status_code == 200
            counts.append(len(queries))
        is_single_statement = connection.vendor == "postgresql" and "items" in body
        assert counts[1] - counts[0] == (0 if url == "/conversations" or is_single_statement else 1)
