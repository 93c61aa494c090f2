"""Limits of bodies, and CORS headers, the request log and the metrics of model calls.

Model calls do not pass through Django's middleware, and Django reads the whole body of any other request before it
looks at the URL and the key.
"""

import time
from collections.abc import MutableMapping
from importlib import import_module
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.utils.module_loading import import_string

from conversations import ids
from conversations.errors import APIError
from conversations.responses.asgi import ResponsesApplication
from conversations.responses.client import Answer, Receive, Send, encode_headers, limit_body
from project.errors import disallowed_host, render_envelope
from project.observation import METHODS, OTHER_METHOD, RequestFacts


class ModelCalls:
    """ASGI middleware that does for model calls what the middleware in the settings does for other requests.

    For these, it limits what the HTTP server in front of Django's WSGI handler limits: the size and time of bodies.
    """

    def __init__(self, application: ResponsesApplication) -> None:
        self._application = application
        self._observers = [import_string(path) for path in settings.REQUEST_OBSERVERS]
        self._cors = None
        if settings.CORS_ALLOWED_ORIGINS:
            self._cors = import_module("corsheaders.middleware").CorsMiddleware(lambda request: HttpResponse())

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
        elif path := self._application.own_path(scope):
            await self._call_model(scope, receive, send, path=path)
        else:
            answer = Answer(send)
            try:
                await self._application(scope, limit_body(scope, receive), send)
            except APIError as error:  # from receiving the body: the application answers all others itself
                await answer.send_response(render_envelope(error))

    async def _call_model(self, scope: Any, receive: Receive, send: Send, *, path: str) -> None:
        name, _, rest = path.removeprefix("/").partition("/")
        route = f"{settings.API_PREFIX}/{name}{'/<path:path>' if rest else ''}"
        started_at = time.perf_counter()

        async def receive_message() -> MutableMapping[str, Any]:
            nonlocal started_at
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                started_at = time.perf_counter()
            return message

        async def send_message(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._cors_headers(scope)]
                self._observe(scope, message, route=route, seconds=time.perf_counter() - started_at)
            await send(message)

        request = ASGIRequest(scope, BytesIO())
        try:
            request.get_host()
        except DisallowedHost:
            await Answer(send_message).send_response(disallowed_host(request))
        else:
            await self._application(scope, receive_message, send_message)

    def _cors_headers(self, scope: Any) -> list[tuple[bytes, bytes]]:
        if not self._cors:
            return []
        response = HttpResponse()
        del response["Content-Type"]
        self._cors.add_response_headers(ASGIRequest(scope, BytesIO()), response)
        return encode_headers(response)

    def _observe(self, scope: Any, message: MutableMapping[str, Any], *, route: str, seconds: float) -> None:
        if not self._observers:
            return
        sent = [value.decode("latin-1") for name, value in message["headers"] if name == b"x-request-id"]
        request_id = sent[0] if sent else ids.new_request_id()
        if not sent:
            message["headers"].append((b"x-request-id", request_id.encode()))
        facts = RequestFacts(
            request_id=request_id,
            key=getattr(scope.get("auth"), "prefix", None),
            method=scope["method"] if scope["method"] in METHODS else OTHER_METHOD,
            route=route,
            status=message["status"],
            seconds=seconds,
        )
        for observer in self._observers:
            observer(facts)
