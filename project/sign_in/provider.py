"""The identity provider: its URLs and keys, and the claims that it signs about a person."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import BaseApp
from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from joserfc.errors import JoseError
from requests import RequestException

SECONDS = 10  # for each request to the provider
LEEWAY = 60  # seconds by which the clocks of two machines may differ
# A provider may list "none" and algorithms whose key is the client's secret. Only signatures of the provider count.
ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
# A provider's answer that lacks a member, or has one of another type, is not checked before it is used.
MALFORMED = (AttributeError, KeyError, RuntimeError, TypeError, ValueError)


class ProviderError(Exception):
    """The provider can't be reached, or its answer is not valid."""


@contextmanager
def _provider_errors() -> Iterator[None]:
    try:
        yield
    except (AuthlibBaseError, JoseError) as error:
        raise ProviderError(f"{type(error).__name__}: {error}") from error
    except (RequestException, *MALFORMED) as error:
        _cached_client.cache_clear()  # It may have kept metadata or keys that are not valid.
        raise ProviderError(f"{type(error).__name__}: {error}") from error


def begin(request: HttpRequest, redirect_uri: str) -> HttpResponse:
    """Redirect to the provider, with a new state, nonce and PKCE verifier in the session."""
    with _provider_errors():
        response: HttpResponse = _client().authorize_redirect(request, redirect_uri)
        return response


def read_claims(request: HttpRequest) -> dict[str, Any]:
    """Exchange the code in the callback's URL for the claims about the person, and validate them."""
    with _provider_errors():
        return _exchange(request)


def logout_url() -> str | None:
    """Return the URL at which a person signs out at the provider, if it has one."""
    with suppress(ProviderError), _provider_errors():
        return str(_client().create_logout_url(client_id=settings.OIDC_CLIENT_ID)["url"])
    return None  # The person is signed out here in any case.


def _client() -> BaseApp:
    return _cached_client(settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET)


@cache
def _cached_client(issuer: str, client_id: str, client_secret: str) -> BaseApp:
    """Return the client of a provider. It keeps the provider's metadata and keys, and loads unknown keys."""
    return OAuth().register(
        "oidc",
        client_id=client_id,
        client_secret=client_secret,
        server_metadata_url=f"{issuer.removesuffix('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": " ".join(settings.OIDC_SCOPES),
            "code_challenge_method": "S256",
            "default_timeout": SECONDS,
        },
    )


def _exchange(request: HttpRequest) -> dict[str, Any]:
    client = _client()
    metadata = client.load_server_metadata()
    offered = metadata.get("id_token_signing_alg_values_supported", ["RS256"])
    metadata["id_token_signing_alg_values_supported"] = [each for each in offered if each in ALGORITHMS]
    expected = {
        "iss": {"essential": True, "value": settings.OIDC_ISSUER},
        "aud": {"essential": True, "value": settings.OIDC_CLIENT_ID},
        "sub": {"essential": True},
    }
    token = client.authorize_access_token(request, claims_options=expected, leeway=LEEWAY)
    claims = dict(token["userinfo"])  # the validated claims of the ID token
    wanted = {settings.OIDC_GROUPS_CLAIM, settings.OIDC_USERNAME_CLAIM}
    if not wanted <= claims.keys() and "userinfo_endpoint" in metadata:
        more = client.userinfo(token=token)
        if more.get("sub") != claims["sub"]:
            raise ValueError("The userinfo endpoint answered for another subject.")
        claims = {**more, **claims}
    return claims
