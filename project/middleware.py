from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.urls import resolve

from project.errors import is_for_api

GetResponse = Callable[[HttpRequest], HttpResponse]


def without_pages_middleware(get_response: GetResponse) -> GetResponse:
    """Leads to the API past all other middleware, which is for pages: sessions, messages, CSRF tokens, static files."""

    def respond(request: HttpRequest) -> HttpResponse:
        if not is_for_api(request):
            return get_response(request)
        request.get_host()  # raises an error for one that is not allowed
        path = request.path_info.removeprefix("/v1")
        # As `project.urls` says, but past the site's resolver, which takes as long again.
        request.resolver_match = match = resolve(path, urlconf="conversations.urls")
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        if isinstance(response, SimpleTemplateResponse):
            response.render()
        response.headers["Content-Length"] = str(len(response.content))
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return respond
