from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from conversations import api_key_secrets
from conversations.api import errors
from conversations.models import APIKey


class APIKeyAuthentication(BaseAuthentication):
    """Authentication by `Authorization: Bearer sk-conv-…`.

    `request.user` is the key's user, `request.auth` the `APIKey`.
    """

    def authenticate(self, request: Request) -> tuple[Any, APIKey] | None:
        scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            return None
        key = APIKey.authenticate(secret.strip())
        if key is None:
            error = errors.incorrect_api_key(api_key_secrets.mask_secret(secret.strip()))
            raise AuthenticationFailed(error.message, code=error.code)
        key.record_use()
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="OpenAI API"'
