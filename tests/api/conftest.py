from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.http import HttpResponse
from django.test import Client


class APIClient:
    """Client that sends JSON to the API with a user's key, and with more headers."""

    def __init__(self, secret: str, **headers: str) -> None:
        self.client = Client(headers={"authorization": f"Bearer {secret}", **headers})

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.client.get(f"/v1{path}", query)

    def post(
        self, path: str, body: Any = None, *, key: str | None = None, retry_count: int | None = None
    ) -> HttpResponse:
        """Send the body, with an Idempotency-Key and with the number of retries that OpenAI's clients send."""
        data = b"" if body is None else orjson.dumps(body)
        return self.client.post(f"/v1{path}", data, content_type="application/json", headers=_headers(key, retry_count))

    def send(self, path: str, data: bytes, **kwargs: Any) -> HttpResponse:
        return self.client.generic("POST", f"/v1{path}", data, **{"content_type": "application/json", **kwargs})

    def delete(self, path: str, *, key: str | None = None, retry_count: int | None = None) -> HttpResponse:
        return self.client.delete(f"/v1{path}", headers=_headers(key, retry_count))

    def new_conversation(self, *items: dict[str, Any], **metadata: str) -> str:
        response = self.post("/conversations", {"metadata": metadata, "items": list(items)})
        assert response.status_code == 200, response.content
        return str(response.json()["id"])

    def items(self, conversation_id: str, **query: Any) -> list[dict[str, Any]]:
        response = self.get(f"/conversations/{conversation_id}/items", order="asc", limit=100, **query)
        assert response.status_code == 200, response.content
        return list(response.json()["data"])


def _headers(key: str | None, retry_count: int | None) -> dict[str, str]:
    headers = {"idempotency-key": key, "x-stainless-retry-count": retry_count}
    return {name: str(value) for name, value in headers.items() if value is not None}


@pytest.fixture
def as_alice(alice_secret) -> APIClient:
    return APIClient(alice_secret)


@pytest.fixture
def as_bob(bob_secret) -> APIClient:
    return APIClient(bob_secret)


@pytest.fixture
def assert_error() -> Callable[..., None]:
    def assert_error(
        response: HttpResponse,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        type: str = "invalid_request_error",
    ) -> None:
        expected = {"error": {"message": message, "type": type, "param": param, "code": code}}
        assert (response.status_code, response.json()) == (status, expected)
        assert list(response.json()["error"]) == ["message", "type", "param", "code"]
        assert response["content-type"] == "application/json"

    return assert_error
