import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import IO, Any

import orjson
from django.http import UnreadablePostError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from conversations.api import errors
from conversations.conf import app_settings
from conversations.schema.json_limits import loads

CHUNK = 64 * 1024  # bytes
DISCARD_SECONDS = 1


class JSONParser(BaseParser):
    """Parser that refuses a body above `CONVERSATIONS_MAX_BODY_BYTES` and values that no database can store."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        length = int((parser_context or {})["request"].META["CONTENT_LENGTH"])
        if length > app_settings.max_body_bytes:
            _discard(stream, 2 * app_settings.max_body_bytes)
            raise errors.body_too_large(maximum=app_settings.max_body_bytes)
        try:
            return loads(stream.read(), max_values=app_settings.max_json_values)
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
    """Negotiation that ignores the Accept header and parses a body without a Content-Type as JSON."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        if request.content_type in ("", "application/json"):
            return next(iter(parsers))
        return super().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


def _discard(stream: IO[bytes], size: int) -> None:
    """Read up to `size` bytes of a body that is too large, for at most a second, so that the client reads the answer.

    Some clients stop at the first error while they send, without looking for an answer. Only requests with a valid key
    get here: a client without one is answered at once. The time limit holds between two reads, because WSGI has no
    time-out for one read: a client that stops sending is waited for, as it is when its body is wanted.
    """
    deadline = time.monotonic() + DISCARD_SECONDS
    with suppress(UnreadablePostError):
        while size > 0 and time.monotonic() < deadline and (chunk := stream.read(CHUNK)):
            size -= len(chunk)
