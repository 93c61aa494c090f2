from base64 import b64decode
from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from conversations import api_key_secrets
from conversations.api import errors
from conversations.models import APIKey


class APIKeyAuthentication(BaseAuthentication):
    """Authentication by `Authorization: Bearer sk-conv-…`, by Basic authentication or by Azure's header `api-key`.

    `request.user` is the key's user, `request.auth` the `APIKey`.
    """

    def authenticate(self, request: Request) -> tuple[Any, APIKey] | None:
        secret = _secret(request)
        if not secret:
            return None
        key = APIKey.authenticate(secret)
        if key is None:
            error = errors.incorrect_api_key(api_key_secrets.mask_secret(secret))
            raise AuthenticationFailed(error.message, code=error.code)
        key.record_use()
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="OpenAI API"'


def _secret(request: Request) -> str:
    """Return the API key that the request names, or an empty string. `Authorization` takes precedence."""
    authorization = request.META.get("HTTP_AUTHORIZATION", "").strip()
    if not authorization:
        return str(request.META.get("HTTP_API_KEY", "")).strip()
    scheme, _, credentials = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return str(credentials.strip())
        case "basic":
            return _basic_secret(credentials.strip())
        case _:
            return ""


def _basic_secret(credentials: str) -> str:
    """Return the password of Basic credentials, or else the username: people enter a key in either field."""
    try:
        username, _, password = b64decode(credentials, validate=True).decode().partition(":")
    except ValueError:
        return ""
    return (password or username).strip()
