from io import BytesIO
from typing import IO

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, UnreadablePostError

from conversations.api import errors
from conversations.conf import app_settings

CHUNK = 64 * 1024


def read_chunked_body(request: HttpRequest) -> None:
    """Give a body that came in chunks its length: without one, Django takes it for empty and would lose it.

    Raises an error where the server can't tell where such a body ends.
    """
    if not request.META.get("HTTP_TRANSFER_ENCODING") or request.META.get("CONTENT_LENGTH"):
        return
    stream = _stream(request)
    if stream is None:
        raise errors.body_length_missing()
    body = stream.read(app_settings.max_body_bytes + 1)
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)


def discard_body(request: HttpRequest) -> None:
    """Read what is still coming of a refused request, up to twice the limit.

    A client whose connection is closed while it sends may never see the answer that says why.
    """
    stream = _stream(request)
    remaining = 2 * app_settings.max_body_bytes
    try:
        while stream is not None and remaining > 0 and (chunk := stream.read(CHUNK)):
            remaining -= len(chunk)
    except UnreadablePostError:
        return  # it has gone


def _stream(request: HttpRequest) -> IO[bytes] | HttpRequest | None:
    """Where the body is read from; nowhere if it has no end that the server could tell."""
    if not isinstance(request, WSGIRequest) or not request.META.get("HTTP_TRANSFER_ENCODING"):
        return request  # Django knows its length, or ASGI has read it to its end
    stream: IO[bytes] = request.environ["wsgi.input"]
    return stream if request.environ.get("wsgi.input_terminated") else None
