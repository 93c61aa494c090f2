"""Parse request bodies as JSON, render responses as JSON, and use JSON whatever the headers ask for."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import IO, Any

import orjson
from django.http import UnreadablePostError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from conversations.api import errors
from conversations.api.repetitions import DIGEST_BYTES
from conversations.conf import app_settings
from conversations.schema.json_limits import loads

CHUNK_BYTES = 64 * 1024
DISCARD_SECONDS = 1


class JSONParser(BaseParser):
    """Parser of JSON bodies.

    It refuses a body longer than `CONVERSATIONS_MAX_BODY_BYTES`, one with more JSON values than
    `CONVERSATIONS_MAX_JSON_VALUES`, and the values that some database can't store (see `schema.json_limits`). The text
    of items may have any character; that of metadata, which the databases compare, may not.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        maximum = app_settings.max_body_bytes
        # The header is there: DRF does not call a parser for a request without it or with a length of 0.
        length = int((parser_context or {})["request"].META["CONTENT_LENGTH"])
        if length > maximum:
            _discard_body(stream, 2 * maximum)
            raise errors.body_too_large(maximum=maximum)
        body = stream.read()
        if len(body) < length:  # Some servers raise no error if the connection ends before the body does.
            raise errors.body_incomplete()
        if (view := (parser_context or {}).get("view")) is not None:
            view.body_digest = blake2b(body, digest_size=DIGEST_BYTES).digest()
        try:
            return loads(body, max_values=app_settings.max_json_values)
        except ValueError:
            raise errors.invalid_json() from None


class JSONRenderer(BaseRenderer):
    """Renderer with OpenAI's layout: an indent of two spaces and no final newline."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return orjson.dumps(data, option=orjson.OPT_INDENT_2)


class JSONNegotiation(DefaultContentNegotiation):
    """Negotiation that ignores the Accept header and treats a body without a Content-Type as JSON.

    A body of any other type is refused, because there is no parser for it.
    """

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        if request.content_type in ("", "application/json"):
            return next(iter(parsers))
        return super().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


def _discard_body(stream: IO[bytes], max_bytes: int) -> None:
    """Read a too large body, at most `max_bytes` of it and for at most a second, so that the client gets the response.

    The server closes the connection if it responds while the client is still sending. Some clients, such as the
    asynchronous OpenAI client, then report a connection error instead of the response.

    Only authenticated requests get here; without a valid key, a body is never read. The time is checked between reads,
    because WSGI has no time-out for a single read: a client that stops sending occupies its thread, as it does when its
    body is wanted.
    """
    deadline = time.monotonic() + DISCARD_SECONDS
    with suppress(UnreadablePostError):
        while max_bytes > 0 and time.monotonic() < deadline and (chunk := stream.read(CHUNK_BYTES)):
            max_bytes -= len(chunk)
