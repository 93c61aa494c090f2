"""What the model admins of this app have in common, and the base of the views that they add."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views import View

from conversations.admin.csp import CONTENT_SECURITY_POLICY


class AppModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Base of the app's model admins: the Content-Security-Policy of their pages and the routes of their own views."""

    content_security_policy = CONTENT_SECURITY_POLICY

    @property
    def urls(self) -> list[URLPattern]:
        patterns = self.get_urls()
        for pattern in patterns:
            if isinstance(pattern, URLPattern):  # a subclass may add an include()
                pattern.callback = self._with_policy(pattern.callback)
        return patterns

    def route(self, url: str, view: type[ModelAdminView], *, name: str) -> URLPattern:
        """Return the URL pattern of a view of this model admin, which is for staff only, as Django's own views are."""
        return path(url, self.admin_site.admin_view(view.as_view(model_admin=self)), name=f"conversations_{name}")

    def _with_policy(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """Add the policy to the responses of a view, unless the view has set one."""

        @wraps(view)
        def with_policy(*args: Any, **kwargs: Any) -> HttpResponse:
            response = view(*args, **kwargs)
            response.headers.setdefault("Content-Security-Policy", self.content_security_policy)
            return response

        return with_policy


class ModelAdminView(View):
    """A page or an action that a model admin adds to Django's own. It checks its permissions itself."""

    model_admin: Any = None  # given to as_view()
    http_method_names = ["get", "head", "post"]

    def render(self, template: str, context: dict[str, Any]) -> HttpResponse:
        """Render a page of the admin site, given what it has beside the site's own context."""
        request: HttpRequest = self.request
        request.current_app = self.model_admin.admin_site.name
        site_context = self.model_admin.admin_site.each_context(request)
        return TemplateResponse(
            request,
            template,
            {**site_context, "opts": self.model_admin.opts, "media": self.model_admin.media, **context},
        )
