"""The end user of a request: an application with one API key names whom it acts for in a header."""

from typing import Any

from rest_framework.request import Request

from conversations import errors
from conversations.api import errors as api_errors
from conversations.schema.end_user import validate_end_user

HEADER = "Conversations-User"
AZURE_HEADER = "x-ms-user-isolation-key"


def read_end_user(request: Request) -> str | None:
    """Return the end user that the headers name, or None without them.

    Raise `APIError` if the value is no valid name, if the two headers differ, or if the API key requires an end user.
    """
    meta = request.META
    name, azure_name = meta.get("HTTP_CONVERSATIONS_USER"), meta.get("HTTP_X_MS_USER_ISOLATION_KEY")
    if name is None and azure_name is None:
        if getattr(request.auth, "end_user_required", False):
            raise api_errors.end_user_missing(HEADER)
        return None
    end_users = {
        validate_end_user(_decode(value, header), path=header)
        for header, value in ((HEADER, name), (AZURE_HEADER, azure_name))
        if value is not None
    }
    if len(end_users) > 1:
        raise api_errors.end_users_differ(HEADER, AZURE_HEADER)
    return end_users.pop()


def _decode(value: Any, header: str) -> str:
    """Return the value without spaces around it, decoded as UTF-8: WSGI and ASGI give it as Latin-1."""
    try:
        return str(value).encode("latin-1").decode().strip()
    except UnicodeError:
        raise errors.unstorable_value(header, "not UTF-8") from None
