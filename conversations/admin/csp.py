from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.http import HttpResponse
from django.urls import URLPattern

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)


class ContentSecurityPolicyMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Every page of the admin allows no script, style or request but this server's own.

    A policy that a view has set is left alone.
    """

    content_security_policy = CONTENT_SECURITY_POLICY

    @property
    def urls(self) -> list[URLPattern]:
        patterns = self.get_urls()
        for pattern in patterns:
            if isinstance(pattern, URLPattern):  # and not an include() of a subclass
                pattern.callback = self._with_policy(pattern.callback)
        return patterns

    def _with_policy(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def with_policy(*args: Any, **kwargs: Any) -> HttpResponse:
            response = view(*args, **kwargs)
            response.headers.setdefault("Content-Security-Policy", self.content_security_policy)
            return response

        return with_policy
