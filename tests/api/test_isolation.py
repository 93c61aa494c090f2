"""Every URL of the API and every method, with a foreign key and foreign ids. New URLs are found by themselves."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from conversations.api.base import InvalidURLView, ModelURLView
from conversations.models import APIKey, Conversation, Item
from conversations.urls import urlpatterns
from tests.api.conftest import APIClient

PLANTED = "planted-words"
ITEM = {"type": "message", "role": "user", "content": PLANTED}
UNKNOWN = {"conversation_id": "conv_unknown", "item_id": "msg_unknown"}
# A valid body for each URL that takes one. Without it, a new URL answers 400, and its test fails.
BODIES: dict[str, dict[str, Any]] = {
    "conversation-detail": {"metadata": {"topic": "stolen"}},
    "conversation-fork": {},
    "conversation-rewind": {"after": "msg_1"},
    "item-list": {"items": [{"role": "user", "content": "stolen"}]},
}
QUERIES = {"metadata-value-list": {"key": "topic"}}  # of URLs that need one


def operations() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield the name, the method and the arguments of every operation."""
    for pattern in urlpatterns:
        if pattern.name:
            for method in pattern.callback.actions:
                yield pattern.name, method, tuple(pattern.pattern.converters)


OPERATIONS = list(operations())
OF_CONVERSATIONS = [operation for operation in OPERATIONS if operation[2]]


def send(client: APIClient, name: str, method: str, arguments: dict[str, str]) -> HttpResponse:
    [pattern] = [pattern for pattern in urlpatterns if pattern.name == name]
    path = f"/v1/{pattern.pattern}"
    for argument in pattern.pattern.converters:
        path = path.replace(f"<str:{argument}>", arguments[argument])
    if method == "post":
        return client.client.post(path, BODIES.get(name, {}), content_type="application/json")
    return client.client.generic(method.upper(), path, query_params=QUERIES.get(name, {}))


def rows() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Conversation, Item)]


@pytest.fixture
def alices(as_alice) -> dict[str, str]:
    """The ids of a conversation and an item of alice."""
    conversation_id = as_alice.new_conversation({**ITEM, "id": "msg_1"}, topic=PLANTED)
    return {"conversation_id": conversation_id, "item_id": "msg_1"}


@pytest.fixture
def bobs(as_bob) -> dict[str, str]:
    conversation_id = as_bob.new_conversation({"role": "user", "content": "mine"}, topic="mine")
    return {"conversation_id": conversation_id, "item_id": as_bob.items(conversation_id)[0]["id"]}


@pytest.mark.parametrize(("name", "method", "arguments"), OF_CONVERSATIONS)
def test_foreign_id_is_answered_like_one_that_does_not_exist(as_bob, alices, bobs, name, method, arguments):
    for foreign in product([True, False], repeat=len(arguments)):
        if not any(foreign):
            continue
        chosen = [dict(bobs), dict(bobs)]
        for argument, is_foreign in zip(arguments, foreign, strict=True):
            if is_foreign:
                chosen[0][argument], chosen[1][argument] = alices[argument], UNKNOWN[argument]
        before = rows()
        answers = [send(as_bob, name, method, ids) for ids in chosen]
        assert [answer.status_code for answer in answers] == [404, 404], answers[0].content
        texts = [answer.content.decode() for answer in answers]
        for argument in arguments:
            texts = [text.replace(ids[argument], argument) for text, ids in zip(texts, chosen, strict=True)]
        assert texts[0] == texts[1]
        assert rows() == before


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("name", sorted({name for name, _, _ in OF_CONVERSATIONS}))
def test_other_methods_answer_a_foreign_id_like_one_that_does_not_exist(as_bob, alices, name, method):
    before = rows()
    answers = [send(as_bob, name, method, ids) for ids in (alices, UNKNOWN)]
    assert [answer.status_code for answer in answers] in ([404, 404], [405, 405])
    texts = [answer.content.decode() for answer in answers]
    for argument, value in UNKNOWN.items():
        texts[0] = texts[0].replace(alices[argument], value)
    assert texts[0] == texts[1]
    assert answers[0].headers.keys() == answers[1].headers.keys()
    assert rows() == before


@pytest.mark.parametrize(("name", "method", "arguments"), OPERATIONS)
def test_no_answer_has_data_of_another_owner(as_bob, alices, name, method, arguments):
    before = rows()
    answer = send(as_bob, name, method, alices)
    assert PLANTED not in answer.content.decode()
    if arguments:
        assert rows() == before
    else:
        assert answer.status_code == 200, answer.content
        assert alices["conversation_id"] not in answer.content.decode()
        alices_rows = Conversation.objects.filter(pk=alices["conversation_id"]).values()
        assert list(alices_rows) == before[0]


@pytest.mark.parametrize(("name", "method", "arguments"), OPERATIONS)
def test_owner_is_answered(as_alice, alices, name, method, arguments):
    """Prove that the requests of the other tests are valid."""
    answer = send(as_alice, name, method, alices)
    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize(("name", "method", "arguments"), OPERATIONS)
def test_key_without_the_scope_is_refused(alice, alices, name, method, arguments):
    is_read = method == "get"
    before = rows()
    key, secret = APIKey.create(user=alice, can_read=not is_read, can_write=is_read)
    answer = send(APIClient(secret), name, method, alices)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_scope")
    assert rows() == before
    key.revoke()
    assert send(APIClient(secret), name, method, alices).status_code == 401


@pytest.mark.parametrize(("name", "method", "arguments"), OPERATIONS)
def test_request_without_a_key_is_refused(alices, name, method, arguments):
    client = APIClient("")
    client.client = Client()
    before = rows()
    answer = send(client, name, method, alices)
    assert answer.status_code == 401
    assert rows() == before


def test_every_url_without_a_name_answers_with_an_error():
    assert {pattern.callback.cls for pattern in urlpatterns if not pattern.name} == {ModelURLView, InvalidURLView}


def test_every_url_with_a_name_is_an_operation():
    assert len(OPERATIONS) > 10
    assert {argument for _, _, arguments in OPERATIONS for argument in arguments} == UNKNOWN.keys()
