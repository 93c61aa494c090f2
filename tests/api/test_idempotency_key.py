from datetime import timedelta

import pytest
from django.db import connection, connections, router
from django.utils import timezone

from conversations.models import Conversation, Item, RequestRecord
from conversations.signals import conversation_created
from tests.queries import CapturedQueries

MESSAGE = {"type": "message", "role": "user", "content": "Hello!"}
BODY = {"metadata": {"topic": "demo"}, "items": [MESSAGE]}
ITEMS = {"items": [MESSAGE, {**MESSAGE, "content": "Bye!"}]}
REPLAYED = "Idempotency-Replayed"


@pytest.fixture
def conversation_id(as_alice):
    return as_alice.new_conversation(MESSAGE, topic="demo")


def assert_replayed(first, second):
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    assert (first.get(REPLAYED), second[REPLAYED]) == (None, "true")


def test_repeated_create_gets_the_first_answer_and_stores_nothing(as_alice):
    first = as_alice.post("/conversations", BODY, key="one")
    second = as_alice.post("/conversations", BODY, key="one")
    assert_replayed(first, second)
    assert Conversation.objects.get().items.count() == 1


def test_repeated_create_without_a_body_gets_the_first_answer(as_alice):
    assert_replayed(as_alice.post("/conversations", key="one"), as_alice.post("/conversations", key="one"))
    assert Conversation.objects.count() == 1


def test_repeated_append_gets_the_first_answer_and_stores_nothing(as_alice, conversation_id):
    first = as_alice.post(f"/conversations/{conversation_id}/items", ITEMS, key="one")
    as_alice.post(f"/conversations/{conversation_id}/items", ITEMS)
    second = as_alice.post(f"/conversations/{conversation_id}/items", ITEMS, key="one")
    assert_replayed(first, second)
    assert len(as_alice.items(conversation_id)) == 5


def test_repeated_append_of_items_with_ids_gets_the_first_answer(as_alice, conversation_id):
    body = {"items": [{**MESSAGE, "id": "msg_mine"}]}
    first = as_alice.post(f"/conversations/{conversation_id}/items", body, key="one")
    second = as_alice.post(f"/conversations/{conversation_id}/items", body, key="one")
    assert_replayed(first, second)


def test_repeated_append_gets_the_answer_with_what_it_asked_to_include(as_alice, conversation_id):
    image = {"type": "input_image", "image_url": "https://example.com/a.png"}
    body = {"items": [{**MESSAGE, "content": [image]}]}
    path = f"/conversations/{conversation_id}/items?include[]=message.input_image.image_url"
    first = as_alice.post(path, body, key="one")
    assert b"example.com" in first.content
    assert_replayed(first, as_alice.post(path, body, key="one"))


def test_repeated_append_of_what_is_not_stored_gets_the_first_answer(as_alice, conversation_id):
    body = {"items": [{"type": "compaction_trigger"}]}
    first = as_alice.post(f"/conversations/{conversation_id}/items", body, key="one")
    assert_replayed(first, as_alice.post(f"/conversations/{conversation_id}/items", body, key="one"))


def test_repeated_update_gets_the_first_answer_and_keeps_later_metadata(as_alice, conversation_id):
    body = {"metadata": {"topic": "first"}}
    first = as_alice.post(f"/conversations/{conversation_id}", body, key="one")
    as_alice.post(f"/conversations/{conversation_id}", {"metadata": {"topic": "second"}}, key="two")
    second = as_alice.post(f"/conversations/{conversation_id}", body, key="one")
    assert_replayed(first, second)
    assert as_alice.get(f"/conversations/{conversation_id}").json()["metadata"] == {"topic": "second"}


def test_repeated_create_gets_the_first_answer_after_an_update(as_alice):
    first = as_alice.post("/conversations", BODY, key="one")
    as_alice.post(f"/conversations/{first.json()['id']}", {"metadata": {}})
    assert_replayed(first, as_alice.post("/conversations", BODY, key="one"))


def test_retry_that_counts_its_attempts_gets_the_first_answer(as_alice):
    first = as_alice.post("/conversations", BODY, key="one", retry_count=0)
    assert_replayed(first, as_alice.post("/conversations", BODY, key="one", retry_count=1))


@pytest.mark.parametrize("retry_count", [0, 1])
def test_key_of_another_body_is_refused(as_alice, assert_error, retry_count):
    as_alice.post("/conversations", BODY, key="one")
    response = as_alice.post("/conversations", {}, key="one", retry_count=retry_count)
    message = "Invalid 'Idempotency-Key': it was used for a different request. Use a new key for each request."
    assert_error(response, 400, message, param="Idempotency-Key", code="idempotency_key_reuse")
    assert Conversation.objects.count() == 1


def test_key_of_another_url_is_refused(as_alice, conversation_id):
    as_alice.post(f"/conversations/{conversation_id}/items", ITEMS, key="one")
    response = as_alice.post(f"/conversations/{as_alice.new_conversation()}/items", ITEMS, key="one")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "idempotency_key_reuse")


def test_keys_of_users_are_independent(as_alice, as_bob):
    responses = [each.post("/conversations", BODY, key="one") for each in (as_alice, as_bob)]
    assert [response.get(REPLAYED) for response in responses] == [None, None]
    assert responses[0].json()["id"] != responses[1].json()["id"]


@pytest.mark.parametrize(("key", "code"), [("", "empty_string"), ("k" * 256, "string_above_max_length")])
def test_key_of_wrong_length_is_refused(as_alice, conversation_id, key, code):
    for path, body in [
        ("/conversations", BODY),
        (f"/conversations/{conversation_id}", {"metadata": {}}),
        (f"/conversations/{conversation_id}/items", ITEMS),
    ]:
        error = as_alice.post(path, body, key=key).json()["error"]
        assert (error["param"], error["code"]) == ("Idempotency-Key", code)


def test_longest_key_is_accepted(as_alice):
    first = as_alice.post("/conversations", BODY, key="k" * 255)
    assert_replayed(first, as_alice.post("/conversations", BODY, key="k" * 255))


def test_key_of_a_refused_request_can_be_used_again(as_alice, conversation_id):
    assert as_alice.post("/conversations/conv_unknown/items", ITEMS, key="one").status_code == 404
    assert as_alice.post(f"/conversations/{conversation_id}/items", {"items": []}, key="one").status_code == 400
    assert not RequestRecord.objects.exists()
    assert as_alice.post(f"/conversations/{conversation_id}/items", ITEMS, key="one").status_code == 200


def test_key_is_forgotten_after_a_day(as_alice):
    first = as_alice.post("/conversations", BODY, key="one")
    RequestRecord.objects.update(created_at=timezone.now() - timedelta(hours=23, minutes=59))
    assert_replayed(first, as_alice.post("/conversations", BODY, key="one"))
    RequestRecord.objects.update(created_at=timezone.now() - timedelta(hours=24))
    second = as_alice.post("/conversations", {}, key="one")
    assert (second.status_code, second.get(REPLAYED)) == (200, None)
    assert_replayed(second, as_alice.post("/conversations", {}, key="one"))


def test_deleting_a_conversation_drops_the_records_of_its_writes(as_alice):
    first = as_alice.post("/conversations", BODY, key="one")
    as_alice.post(f"/conversations/{first.json()['id']}/items", ITEMS, key="two")
    as_alice.delete(f"/conversations/{first.json()['id']}")
    assert not RequestRecord.objects.exists()
    again = as_alice.post("/conversations", BODY, key="one")
    assert (again.status_code, again.get(REPLAYED)) == (200, None)


def test_deleting_an_item_drops_only_the_record_of_its_append(as_alice, conversation_id):
    path = f"/conversations/{conversation_id}/items"
    responses = [as_alice.post(path, ITEMS, key=key) for key in ("one", "two", "three")]
    as_alice.delete(f"{path}/{responses[1].json()['last_id']}")
    assert_replayed(responses[0], as_alice.post(path, ITEMS, key="one"))
    assert_replayed(responses[2], as_alice.post(path, ITEMS, key="three"))
    again = as_alice.post(path, ITEMS, key="two")
    assert (again.status_code, again.get(REPLAYED)) == (200, None)
    assert Item.objects.count() == 8


def test_record_has_no_content(as_alice):
    as_alice.post("/conversations", {"metadata": {"topic": "planted"}, "items": [MESSAGE]}, key="planted-key")
    values = [str(value) for value in RequestRecord.objects.values_list().get()]
    assert not any(word in value for value in values for word in ("planted", "Hello"))


@pytest.mark.django_db(transaction=True)
def test_request_with_the_key_of_one_that_is_being_executed_is_to_be_repeated_later(as_alice):
    during = []

    def repeat(**_):
        during.append(as_alice.post("/conversations", BODY, key="one"))

    conversation_created.connect(repeat)
    try:
        first = as_alice.post("/conversations", BODY, key="one")
    finally:
        conversation_created.disconnect(repeat)
    [second] = during
    assert (second.status_code, second.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert (second["Retry-After"], second.get("x-should-retry")) == ("1", None)
    assert_replayed(first, as_alice.post("/conversations", BODY, key="one"))


def test_key_costs_one_statement_at_most_and_two_on_mariadb_while_a_conversation_may_be_locked(
    as_alice, conversation_id
):
    path = f"/conversations/{conversation_id}/items"
    for url, body in [("/conversations", BODY), (path, ITEMS), (f"/conversations/{conversation_id}", {"metadata": {}})]:
        counts = []
        for key in (None, url):
            with CapturedQueries(connections[router.db_for_write(RequestRecord)]) as queries:
                assert as_alice.post(url, body, key=key).status_code == 200
            counts.append(len(queries))
        is_single_statement = connection.vendor == "postgresql" and "items" in body
        has_two = connection.vendor == "mysql" and connection.mysql_is_mariadb and url != "/conversations"
        assert counts[1] - counts[0] == (0 if is_single_statement else 1 + has_two)


def test_repeated_fork_and_rewind_get_the_first_answer(as_alice, conversation_id):
    as_alice.post(f"/conversations/{conversation_id}/items", ITEMS)
    first_id = as_alice.items(conversation_id)[0]["id"]
    for action, body in [("fork", {"metadata": {"topic": "fork"}}), ("fork", None), ("rewind", {"after": first_id})]:
        path = f"/conversations/{conversation_id}/{action}"
        first = as_alice.post(path, body, key=f"{action} {body}")
        as_alice.post(f"/conversations/{conversation_id}/items", {"items": [MESSAGE]})
        assert_replayed(first, as_alice.post(path, body, key=f"{action} {body}"))
    assert Conversation.objects.count() == 3
    assert len(as_alice.items(conversation_id)) == 2


def test_repeated_answer_shows_current_metadata_where_the_request_does_not_name_it(as_alice, conversation_id):
    """The record has no content, so that the metadata of the first answer is not known any more."""
    path = f"/conversations/{conversation_id}"
    added = as_alice.post(f"{path}/items", ITEMS).json()["data"]
    fork = as_alice.post(f"{path}/fork", key="fork")
    changes = {
        f"/conversations/{fork.json()['id']}": (fork, lambda: as_alice.post(f"{path}/fork", key="fork")),
        path: (
            as_alice.delete(f"{path}/items/{added[1]['id']}", key="delete"),
            lambda: as_alice.delete(f"{path}/items/{added[1]['id']}", key="delete"),
        ),
    }
    for url, (first, repeat) in changes.items():
        as_alice.post(url, {"metadata": {"topic": "second"}})
        second = repeat()
        assert (second.status_code, second[REPLAYED]) == (200, "true")
        assert second.json() == {**first.json(), "metadata": {"topic": "second"}} != first.json()


def test_rewind_drops_the_records_of_the_appends_that_it_deletes(as_alice, conversation_id):
    path = f"/conversations/{conversation_id}/items"
    responses = [as_alice.post(path, ITEMS, key=key) for key in ("one", "two")]
    as_alice.post(f"/conversations/{conversation_id}/rewind", {"after": responses[0].json()["last_id"]})
    assert_replayed(responses[0], as_alice.post(path, ITEMS, key="one"))
    assert as_alice.post(path, ITEMS, key="two").get(REPLAYED) is None
