"""Requests of Django's test client through Django's ASGI handler, with bodies in chunks and without a Content-Length.

Servers receive such bodies by HTTP/2 and with `Transfer-Encoding: chunked`.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from asgiref.sync import async_to_sync
from django.core import signals
from django.core.handlers.asgi import ASGIHandler
from django.db import close_old_connections
from django.http import HttpResponse
from django.test.client import ClientHandler

CHUNK = 7  # bytes, so that most bodies have several chunks


class ASGIClientHandler(ClientHandler):
    """Handler of a test client that passes a request on to Django's ASGI handler."""

    application: "_Application | None" = None

    def __call__(self, environ: Mapping[str, Any]) -> HttpResponse:
        if self.application is None:
            self.application = _Application(enforce_csrf_checks=self.enforce_csrf_checks)
        for signal in (signals.request_started, signals.request_finished):
            signal.disconnect(close_old_connections)  # A test keeps its connection.
        try:
            response = async_to_sync(_respond)(self.application, environ)
        finally:
            for signal in (signals.request_started, signals.request_finished):
                signal.connect(close_old_connections)
        response.wsgi_request = self.application.request
        return response


class _Application(ASGIHandler):
    request: Any

    def __init__(self, *, enforce_csrf_checks: bool) -> None:
        super().__init__()
        self.enforce_csrf_checks = enforce_csrf_checks

    def create_request(self, scope: Any, body_file: Any) -> Any:
        request, error_response = super().create_request(scope, body_file)
        self.request = request
        if request is not None:
            request._dont_enforce_csrf_checks = not self.enforce_csrf_checks
        return request, error_response


async def _respond(application: ASGIHandler, environ: Mapping[str, Any]) -> HttpResponse:
    body = environ["wsgi.input"].read()
    chunks = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)]
    received = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    received.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Any] = []

    async def receive() -> Any:
        if not received:  # The client does not disconnect.
            await asyncio.Event().wait()
        return received.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await application(_scope(environ), receive, send)
    response = HttpResponse(b"".join(message["body"] for message in sent[1:]), status=sent[0]["status"])
    for name, value in sent[0]["headers"]:
        response[name.decode("latin1")] = value.decode("latin1")
    return response


def _scope(environ: Mapping[str, Any]) -> dict[str, Any]:
    headers = [
        (name.removeprefix("HTTP_").replace("_", "-").lower().encode(), str(value).encode("latin1"))
        for name, value in environ.items()
        if name.startswith("HTTP_") or name == "CONTENT_TYPE"
    ]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"].encode("latin1").decode(),
        "query_string": environ["QUERY_STRING"].encode("latin1"),
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }
