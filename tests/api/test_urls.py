"""Every URL and method of the API. An endpoint is in these tests as soon as it is in `conversations.urls`."""

from typing import Any, NamedTuple

import orjson
import pytest
from django.http import HttpResponse

from conversations.api.openapi.operations import Operation, operation_of
from conversations.urls import urlpatterns
from tests.api.conftest import APIClient

HELLO = {"type": "message", "role": "user", "content": "Hello!"}


class Endpoint(NamedTuple):
    method: str
    path: str  # below /v1
    operation: Operation | None

    def request(self, client: APIClient, **ids: str) -> HttpResponse:
        """Send the operation's example to the URL with these ids."""
        path = self.path
        for name, value in ids.items():
            path = path.replace(f"<str:{name}>", value)
        example = self.operation and self.operation.example
        if example and "after" in example:
            example = {**example, "after": ids["item_id"]}
        body = orjson.dumps(example) if example else b""
        return client.client.generic(self.method, f"/v1/{path}", body, content_type="application/json")


ENDPOINTS = [
    Endpoint(method.upper(), str(pattern.pattern), operation_of(pattern.callback.cls, action))
    for pattern in urlpatterns
    if pattern.name
    for method, action in pattern.callback.actions.items()
    if method != "head"
]
OF_CONVERSATION = [endpoint for endpoint in ENDPOINTS if "<str:conversation_id>" in endpoint.path]
OF_ITEM = [endpoint for endpoint in ENDPOINTS if "<str:item_id>" in endpoint.path]


def each(endpoints: list[Endpoint]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("endpoint", endpoints, ids=[f"{each.method} {each.path}" for each in endpoints])


def answer(response: HttpResponse, **ids: str) -> tuple[int, Any]:
    """Return the status and the body of a response with the names of ids in place of the ids."""
    text = response.content.decode()
    for name, value in ids.items():
        text = text.replace(value, name)
    return response.status_code, orjson.loads(text)


def test_every_url_that_names_an_object_is_of_a_conversation():
    assert {endpoint.path for endpoint in ENDPOINTS if "<" in endpoint.path} == {
        endpoint.path for endpoint in OF_CONVERSATION
    }
    assert OF_ITEM


@each(OF_CONVERSATION)
def test_conversation_of_another_user_is_answered_like_one_that_does_not_exist(as_alice, as_bob, endpoint):
    conversation_id = as_alice.new_conversation(HELLO, topic="secret")
    before = as_alice.get(f"/conversations/{conversation_id}").json(), as_alice.items(conversation_id)
    ids = {"conversation_id": conversation_id, "item_id": before[1][0]["id"]}
    unknown_ids = {**ids, "conversation_id": "conv_none"}
    refused, unknown = (answer(endpoint.request(as_bob, **each), **each) for each in (ids, unknown_ids))
    assert refused == unknown
    assert refused[0] == 404
    assert (as_alice.get(f"/conversations/{conversation_id}").json(), as_alice.items(conversation_id)) == before
    assert endpoint.request(as_alice, **ids).status_code == 200


@each(OF_ITEM)
def test_item_of_another_user_is_answered_like_one_that_does_not_exist(as_alice, as_bob, endpoint):
    item_id = as_alice.items(as_alice.new_conversation(HELLO))[0]["id"]
    conversation_id = as_bob.new_conversation(HELLO)
    ids = {"conversation_id": conversation_id, "item_id": item_id}
    unknown_ids = {**ids, "item_id": "msg_none"}
    refused, unknown = (answer(endpoint.request(as_bob, **each), **each) for each in (ids, unknown_ids))
    assert refused == unknown
    assert refused[0] == 404


@each(ENDPOINTS)
def test_request_without_a_key_is_unauthorized(endpoint, db):
    response = endpoint.request(APIClient(""), conversation_id="conv_none", item_id="msg_none")
    assert (response.status_code, response.json()["error"]["type"]) == (401, "invalid_request_error")


@each(ENDPOINTS)
def test_endpoint_is_described_in_openapi(endpoint):
    assert endpoint.operation
