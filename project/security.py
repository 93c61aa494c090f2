from collections.abc import Callable
from ipaddress import ip_address

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from conversations.admin.csp import add_policy
from conversations.api_key_secrets import scrub_secrets


def content_security_policy(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Set the app's Content-Security-Policy on every page of the admin, Django's own pages included."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path_info.startswith(reverse("admin:index")):
            add_policy(request, response)
        return response

    return middleware


def trust_proxy(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Replace the proxy's address in REMOTE_ADDR by its client's, the last address in X-Forwarded-For.

    A client can send the header with any addresses; the proxy appends the real one or replaces the header.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        address = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        if address:
            request.META["REMOTE_ADDR"] = address
        return get_response(request)

    return middleware


def login_name(request: HttpRequest, credentials: dict[str, str] | None) -> str | None:
    """Return the name for django-axes, which stores it, without the secret of an API key that was typed as a name."""
    name = (credentials or request.POST).get("username")
    return None if name is None else scrub_secrets(name)


def client_address(request: HttpRequest) -> str | None:
    """Return the address for django-axes, which reads X-Forwarded-For by itself where django-ipware is installed."""
    try:
        return str(ip_address(request.META.get("REMOTE_ADDR", "")))
    except ValueError:  # a socket of the proxy
        return None
