"""Middleware that hands the facts of each answered request to the request log and the metrics, if they are on.

The facts identify a request without any of its content: the URL is replaced by the route, and the key by its visible
prefix. The query string, the headers and the bodies are not among them.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from conversations import ids
from project.errors import is_for_api
from project.middleware import views_for_any_host

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OTHER_METHOD = "OTHER"  # A client may send any word, and each would be a metric of its own.
NO_ROUTE = "none"  # no view has the URL, or the request was refused before one was looked for

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class RequestFacts(NamedTuple):
    request_id: str
    key: str | None  # the visible prefix of the API key
    method: str
    route: str
    status: int
    seconds: float  # from the complete request to the response


Observer = Callable[[RequestFacts], None]


def observe_requests(get_response: GetResponse) -> GetResponse:
    observers: Sequence[Observer] = [import_string(path) for path in settings.REQUEST_OBSERVERS]
    if not observers:
        raise MiddlewareNotUsed

    direct_urls = views_for_any_host().keys()

    def respond(request: HttpRequest) -> HttpResponseBase:
        started_at = time.perf_counter()
        # A request whose body has yet to be read ends in an exception here, and comes back with its body.
        response = get_response(request)
        seconds = time.perf_counter() - started_at
        if "x-request-id" not in response:
            response["x-request-id"] = ids.new_request_id()
        facts = RequestFacts(
            request_id=response["x-request-id"],
            key=getattr(getattr(request, "auth", None), "prefix", None),
            method=request.method if request.method in METHODS else OTHER_METHOD,
            route=request.path_info if request.path_info in direct_urls else _route(request),
            status=response.status_code,
            seconds=seconds,
        )
        for observer in observers:
            observer(facts)
        return response

    return respond


def _route(request: HttpRequest) -> str:
    """Return the pattern of the request's URL, such as `/v1/conversations/<str:conversation_id>`."""
    match = request.resolver_match
    if match is None or not match.route:
        return NO_ROUTE
    # `dispatch_api_directly` resolves the URL without its prefix.
    is_relative = is_for_api(request) and not f"/{match.route}".startswith(f"{settings.API_PREFIX}/")
    return f"{settings.API_PREFIX if is_relative else ''}/{match.route.removeprefix('^')}"
