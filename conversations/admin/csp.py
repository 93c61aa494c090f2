"""The Content-Security-Policy of the app's pages."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from conversations.conf import app_settings

try:
    from django.utils.csp import build_policy
except ImportError:  # Django 5.2 has neither this function nor nonces.

    def build_policy(config: Mapping[str, Any], nonce: str | None = None) -> str:  # type: ignore[misc]
        enabled = {name: sources for name, sources in config.items() if sources not in (None, False)}
        lists = {name: [sources] if isinstance(sources, str) else sources for name, sources in enabled.items()}
        return "; ".join(name if sources is True else f"{name} {' '.join(sources)}" for name, sources in lists.items())


def add_policy(request: HttpRequest, response: HttpResponse) -> None:
    """Add CONVERSATIONS_CONTENT_SECURITY_POLICY to a response, unless its view has set a policy."""
    config = app_settings.content_security_policy
    if config:
        # Django 6's middleware stores the nonce here. str() generates it: the response is rendered later.
        nonce = getattr(request, "_csp_nonce", None)
        policy = build_policy(config, nonce if nonce is None else str(nonce))
        response.headers.setdefault("Content-Security-Policy", policy)
