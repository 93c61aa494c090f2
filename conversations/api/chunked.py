from io import BytesIO

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest

from conversations.api import errors
from conversations.conf import app_settings


def read_chunked_body(request: HttpRequest) -> None:
    """Give a body that came in chunks its length: without one, Django takes it for empty and would lose it.

    Raises an error where the server can't tell where such a body ends.
    """
    if not request.META.get("HTTP_TRANSFER_ENCODING") or request.META.get("CONTENT_LENGTH"):
        return
    if not isinstance(request, WSGIRequest):
        stream = request  # ASGI has read it to its end
    elif request.environ.get("wsgi.input_terminated"):
        stream = request.environ["wsgi.input"]
    else:
        raise errors.body_length_missing()
    body = stream.read(app_settings.max_body_bytes + 1)
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)
