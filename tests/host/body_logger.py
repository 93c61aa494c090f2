from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


def log_bodies(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware of a project that reads the body of each request before its view does."""

    def respond(request: HttpRequest) -> HttpResponse:
        assert request.body is not None
        return get_response(request)

    return respond
