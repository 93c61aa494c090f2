"""The client of the upstream: headers, time-outs and errors."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

import httpx2

from conversations.errors import APIError
from conversations.responses.conf import upstream_settings
from conversations.responses.errors import upstream_broken, upstream_timeout, upstream_unreachable

Headers = Iterable[tuple[bytes, bytes]]

# Headers of one connection, and those about the client's account or its person at this server.
HOP_HEADERS = {
    b"connection",
    b"content-length",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
PRIVATE_HEADERS = {
    b"api-key",
    b"authorization",
    b"conversations-user",
    b"cookie",
    b"expect",
    b"forwarded",
    b"host",
    b"openai-organization",
    b"openai-project",
    b"x-ms-user-isolation-key",
    b"x-real-ip",
}
ANSWER_HEADERS = {b"date", b"server", b"set-cookie"}


def new_client() -> httpx2.AsyncClient:
    """Return a client for all requests of a process. It follows no redirects: they could lead the key elsewhere."""
    timeout = httpx2.Timeout(
        upstream_settings.upstream_idle_seconds, connect=upstream_settings.upstream_connect_seconds, pool=None
    )
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
    return httpx2.AsyncClient(timeout=timeout, limits=limits, trust_env=False, follow_redirects=False)


def upstream_url(path: str, query: bytes) -> str:
    """Return the URL of a path below `/v1`."""
    url = f"{upstream_settings.upstream_url}{quote(path, safe='/:@')}"
    return f"{url}?{query.decode('latin-1')}" if query else url


def request_headers(headers: Headers, *, is_turn: bool) -> list[tuple[bytes, bytes]]:
    """Return a client's headers for the upstream, with its key. The events of a turn are read, so not compressed."""
    left_out = HOP_HEADERS | PRIVATE_HEADERS | ({b"accept-encoding", b"idempotency-key"} if is_turn else set())
    passed = [
        (name, value)
        for name, value in headers
        if name.lower() not in left_out and not name.lower().startswith(b"x-forwarded-")
    ]
    if is_turn:
        passed.append((b"accept-encoding", b"identity"))
    elif not any(name.lower() == b"accept-encoding" for name, _ in passed):
        passed.append((b"accept-encoding", b"identity"))  # httpx would ask for a compression that the client lacks.
    if key := upstream_settings.upstream_api_key:
        passed.append((b"authorization", b"Bearer " + key.encode()))
    return passed


def answer_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return the upstream's headers for the client. It does not decide about web pages that read the answer."""
    left_out = HOP_HEADERS | ANSWER_HEADERS
    lower = [(name.lower(), value) for name, value in headers]
    return [(name, value) for name, value in lower if name not in left_out and not name.startswith(b"access-control-")]


def to_api_error(error: Exception) -> APIError:
    """Return the error for the client of a request to the upstream that failed."""
    match error:
        case httpx2.TimeoutException() | TimeoutError():
            return upstream_timeout()
        case httpx2.ConnectError():
            return upstream_unreachable()
    return upstream_broken("an incomplete answer")
