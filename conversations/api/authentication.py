from base64 import b64decode
from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from conversations import api_key_secrets
from conversations.api import errors
from conversations.models import APIKey
from conversations.models.api_key import Scope


class APIKeyAuthentication(BaseAuthentication):
    """Authentication by `Authorization: Bearer sk-conv-…`, by Basic authentication or by Azure's header `api-key`.

    `request.user` is the key's user, `request.auth` the `APIKey`. Credentials that do not look like a key are left to
    the authentication classes that follow.
    """

    def authenticate(self, request: Request) -> tuple[Any, APIKey] | None:
        secret = _secret(request)
        if not secret.startswith(api_key_secrets.SECRET_PREFIX):
            return None
        key = APIKey.authenticate(secret)
        if key is None:
            raise _incorrect_api_key(secret)
        key.record_use(request.META.get("REMOTE_ADDR", ""))
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="OpenAI API"'


def check_unused_secret(request: Request) -> None:
    """Raise `AuthenticationFailed` if the request names a secret. Call this if no class has authenticated it."""
    is_key_accepted = any(isinstance(each, APIKeyAuthentication) for each in request.authenticators or ())
    if is_key_accepted and (secret := _secret(request)):
        raise _incorrect_api_key(secret)


def check_scope(request: Request) -> None:
    """Raise `APIError` if the request's API key lacks the scope of the method: reading or writing."""
    scope: Scope = "read" if request.method in SAFE_METHODS else "write"
    if isinstance(request.auth, APIKey) and not request.auth.has_scope(scope):
        raise errors.missing_scope(scope)


def _incorrect_api_key(secret: str) -> AuthenticationFailed:
    error = errors.incorrect_api_key(api_key_secrets.mask_secret(secret))
    return AuthenticationFailed(error.message, code=error.code)


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
