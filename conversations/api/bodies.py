from io import SEEK_END, BytesIO
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, UnreadablePostError

from conversations.api import errors
from conversations.conf import app_settings
from conversations.errors import APIError


class BodyError(OSError):
    """Raised by the server's input stream, to have a request answered with an error instead of reading its body."""

    def __init__(self, error: APIError) -> None:
        super().__init__(error.message)
        self.error = error


def read_chunked_body(request: HttpRequest) -> None:
    """Read a body sent in chunks and set its Content-Length, without which Django treats the body as empty.

    Raise `APIError` if the body is cut, or, with status 411, if the server does not mark the end of such a body.
    """
    if request.META.get("CONTENT_LENGTH"):
        return
    if not isinstance(request, WSGIRequest):
        # Under ASGI, Django has read the whole body into a file already. HTTP/2 needs no header for such a body.
        file: Any = request._stream
        request.META["CONTENT_LENGTH"] = str(file.seek(0, SEEK_END))
        file.seek(0)
        return
    if not request.META.get("HTTP_TRANSFER_ENCODING"):
        return
    if not request.environ.get("wsgi.input_terminated"):
        raise errors.body_length_missing()
    try:
        body = request.environ["wsgi.input"].read(app_settings.max_body_bytes + 1)
    except OSError as error:
        raise UnreadablePostError(*error.args) from error  # as Django does for a body with a length
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)
