"""Requests that are not about a conversation: they reach the upstream, or this server's own API, unchanged."""

import httpx2
import openai
import pytest

from tests.responses.conftest import UPSTREAM_KEY
from tests.waiting import SECONDS


def send(stage, method, path, **options):
    headers = {"authorization": f"Bearer {stage.service.secret}", **options.pop("headers", {})}
    return httpx2.request(method, f"{stage.base_url}{path}", headers=headers, timeout=SECONDS, **options)


@pytest.mark.parametrize("is_stream", [False, True])
def test_response_without_a_conversation_is_passed_on(client, stage, is_stream):
    body = b'{"model": "echo", "input" : ["one"], "background": false, "stream": %s}' % (
        b"true" if is_stream else b"false"
    )
    headers = {"content-type": "application/json", "idempotency-key": "mine"}
    answer = send(stage, "POST", "/responses?a=b%20c", content=body, headers=headers)
    request = stage.upstream.requests[-1]
    assert (request["body"], request["query"]) == (body.decode(), "a=b%20c")
    assert request["headers"]["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert request["headers"]["idempotency-key"] == "mine"
    assert answer.headers["x-request-id"] == "req_upstream"
    assert answer.status_code == 200
    assert '"conversation"' not in answer.text
    assert answer.text.count("response.completed") == (2 if is_stream else 0)


def test_body_that_mentions_a_conversation_elsewhere_is_passed_on(stage):
    body = b'{"model": "echo", "input": ["about the conversation"], "conversation": null}'
    assert send(stage, "POST", "/responses", content=body).status_code == 200
    assert stage.upstream.requests[-1]["body"] == body.decode()


def test_body_that_is_no_json_is_refused_if_it_may_name_a_conversation(stage):
    asked = len(stage.upstream.requests)
    answer = send(stage, "POST", "/responses", content=b'{"conversation": "conv_1"')
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")
    assert len(stage.upstream.requests) == asked


def test_models_and_stored_responses_are_those_of_the_upstream(client, stage):
    assert [model.id for model in client.models.list()] == ["echo"]
    assert client.responses.retrieve("resp_1").id == "resp_1"
    client.responses.delete("resp_1")
    assert (stage.upstream.requests[-1]["method"], stage.upstream.requests[-1]["path"]) == (
        "DELETE",
        "/v1/responses/resp_1",
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/models/echo"),
        ("GET", "/responses/..%2Ffiles"),
        ("GET", "/responses/%2e%2e/files"),
        ("GET", "/models/..%2f..%2fadmin"),
        ("POST", "/chat/completions"),
    ],
)
def test_other_urls_of_the_upstream_cannot_be_reached(stage, method, path):
    asked = len(stage.upstream.requests)
    answer = send(stage, method, path)
    assert answer.status_code == 404
    assert len(stage.upstream.requests) == asked


def test_error_of_the_upstream_is_passed_on(client):
    with pytest.raises(openai.RateLimitError, match="Slow down"):
        client.responses.create(model="status-429", input="one")


@pytest.mark.parametrize("path", ["/models", "/responses"])
@pytest.mark.parametrize("secret", ["", "sk-conv-wrong"])
def test_model_calls_need_a_key(stage, path, secret):
    asked = len(stage.upstream.requests)
    answer = send(stage, "GET", path, headers={"authorization": f"Bearer {secret}" if secret else ""})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert len(stage.upstream.requests) == asked


def test_host_that_is_not_allowed_is_refused(stage):
    asked = len(stage.upstream.requests)
    assert send(stage, "GET", "/models", headers={"host": "evil.example.com"}).status_code == 400
    assert len(stage.upstream.requests) == asked
