"""The pages of signing in and out, and the way to the identity provider and back."""

import logging
from datetime import timedelta
from importlib import import_module
from types import ModuleType
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import BACKEND_SESSION_KEY, REDIRECT_FIELD_NAME, login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from project.sign_in.accounts import SignInRefused, sign_in

BACKEND = "project.sign_in.accounts.ProviderBackend"
NEXT = "oidc_next"  # the key in the session of the page to go to
# Rights are renewed at each sign-in, so that a lost group has its effect after a working day at the latest.
SESSION_AGE = timedelta(hours=12)
MAX_REASON = 500  # characters of a reason in the log; anybody can send an answer with one

logger = logging.getLogger(__name__)


def login_page(request: HttpRequest) -> HttpResponse:
    """Show Django's login page with a link to the provider, and without a form if passwords are switched off."""
    if not settings.PASSWORD_LOGIN and request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    context = {"has_provider": bool(settings.OIDC_ISSUER), "has_passwords": settings.PASSWORD_LOGIN}
    return admin.site.login(request, context)


def logout_page(request: HttpRequest) -> HttpResponse:
    """Sign out, and link to the provider's own page for signing out: else the next sign-in may ask for nothing."""
    context: dict[str, Any] = {}
    if settings.OIDC_ISSUER and request.method == "POST" and request.session.get(BACKEND_SESSION_KEY) == BACKEND:
        # A link, because the page's policy forbids a form to lead to another site.
        context["provider_logout_url"] = _import_provider().logout_url()
    return admin.site.logout(request, context)


@never_cache
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    provider = _import_provider()
    request.session[NEXT] = request.GET.get(REDIRECT_FIELD_NAME, "")
    try:
        response: HttpResponse = provider.begin(request, request.build_absolute_uri(reverse("sign-in-callback")))
    except provider.ProviderError as error:
        return _refuse(request, "unreachable", error, status=503)
    return response


@never_cache
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    provider = _import_provider()
    try:
        user = sign_in(provider.read_claims(request))
    except provider.ProviderError as error:
        return _refuse(request, "provider", error)
    except SignInRefused as error:
        return _refuse(request, error.reason, error)
    url = request.session.pop(NEXT, "")
    login(request, user, backend=BACKEND)
    request.session.set_expiry(SESSION_AGE)
    is_safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(url if is_safe else reverse("admin:index"))


def _import_provider() -> ModuleType:
    """Return the module that needs the extra `oidc`, which only services with a provider have installed."""
    if not settings.OIDC_ISSUER:
        raise Http404
    return import_module("project.sign_in.provider")


def _refuse(request: HttpRequest, reason: str, error: Exception, *, status: int = 403) -> HttpResponse:
    logger.warning("Refused a sign-in: %s", " ".join(str(error).split())[:MAX_REASON])
    context = {**admin.site.each_context(request), "reason": reason, "has_permission": False}
    return render(request, "admin/sign_in_refused.html", context, status=status)
