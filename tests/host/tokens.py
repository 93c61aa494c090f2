from typing import Any

from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed


class BearerTokenAuthentication(TokenAuthentication):
    """Tokens of the project, in the header that API keys have too. Errors have a nested detail, as SimpleJWT's have."""

    keyword = "Bearer"

    def authenticate_credentials(self, key: str) -> Any:
        try:
            return super().authenticate_credentials(key)
        except AuthenticationFailed as error:
            messages = [{"token_class": "AccessToken", "message": "Token is expired"}]
            detail = {"detail": "Given token not valid for any token type", "messages": messages}
            raise AuthenticationFailed(detail, code="token_not_valid") from error
