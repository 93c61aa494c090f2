from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.urls import resolve
from django.utils.module_loading import import_string

from project import health
from project.errors import disallowed_host, is_for_api

DOCUMENTATION = (f"{settings.API_PREFIX}/docs", f"{settings.API_PREFIX}/openapi.json")

GetResponse = Callable[[HttpRequest], HttpResponse]

METRICS_URL = "/metrics"


def views_for_any_host() -> dict[str, GetResponse]:
    """Return the views whose callers send an address instead of a name in ALLOWED_HOSTS, by their URLs."""
    views: dict[str, GetResponse] = {health.LIVE_URL: health.live, health.READY_URL: health.ready}
    if settings.METRICS_TOKEN:
        views[METRICS_URL] = import_string("project.metrics.metrics")
    return views


def dispatch_api_directly(get_response: GetResponse) -> GetResponse:
    """Call the view of an API request directly, bypassing the middleware for HTML pages that comes after this one.

    Through all middleware and the site's URL resolver, writes would take about 18 % more CPU, and reads about 45 %. To
    measure it again, compare `python -m tests.benchmarks.api` with and without this middleware in the settings.
    """
    views = views_for_any_host()

    def respond(request: HttpRequest) -> HttpResponse:
        if view := views.get(request.path_info):
            return view(request)
        try:
            request.get_host()
        except DisallowedHost:
            return disallowed_host(request)
        if not is_for_api(request) or request.path_info in DOCUMENTATION:
            return get_response(request)
        path = request.path_info.removeprefix(settings.API_PREFIX)
        request.resolver_match = match = resolve(path, urlconf="conversations.urls")
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        if isinstance(response, SimpleTemplateResponse):
            response.render()
        response.headers["Content-Length"] = str(len(response.content))
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return respond
