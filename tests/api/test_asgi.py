"""Bodies under ASGI. `pytest --ds tests.host.asgi_settings tests/api` runs all tests of the API so."""

import pytest

from conversations.models import Conversation
from tests.api.conftest import APIClient
from tests.asgi_client import ASGIClientHandler


@pytest.fixture
def by_asgi(monkeypatch, alice_secret) -> APIClient:
    monkeypatch.setattr("django.test.client.ClientHandler", ASGIClientHandler)
    return APIClient(alice_secret)


@pytest.mark.parametrize("headers", [{}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
def test_body_without_a_length_is_read(by_asgi, headers):
    response = by_asgi.send("/conversations", b'{"metadata": {"topic": "demo"}}', **headers)
    assert response.status_code == 200
    assert Conversation.objects.get().metadata == response.json()["metadata"] == {"topic": "demo"}


def test_request_without_a_body_has_none(by_asgi):
    assert by_asgi.post("/conversations").json()["metadata"] == {}


def test_body_without_a_length_has_the_maximum_length(by_asgi, assert_error, settings):
    body = b'{"metadata": {"topic": "demo"}}'
    settings.CONVERSATIONS_MAX_BODY_BYTES = len(body) - 1
    message = f"Request body too large. Expected at most {len(body) - 1} bytes."
    assert_error(by_asgi.send("/conversations", body), 413, message, code="request_too_large")
    assert not Conversation.objects.exists()


def test_body_that_middleware_has_read_is_read_again(by_asgi, settings):
    settings.MIDDLEWARE = ["tests.host.body_logger.log_bodies", *settings.MIDDLEWARE]
    response = by_asgi.send("/conversations", b'{"metadata": {"topic": "demo"}}')
    assert response.json()["metadata"] == {"topic": "demo"}
