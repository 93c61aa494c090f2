"""The service's description of its own API in OpenAPI 3.1, and a page to read it and to try requests."""

import gc
from functools import cache
from threading import Lock

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from conversations.admin.csp import add_policy
from conversations.api.base import OpenAIView

_lock = Lock()


class DescriptionView(OpenAIView):
    """The description; it needs no key."""

    permission_classes = []
    schema = None

    def get_authenticators(self) -> list[BaseAuthentication]:
        return []

    def get(self, request: Request) -> HttpResponse:
        with _lock:
            body = build_description()
        return HttpResponse(body, content_type="application/json")


@require_safe
def documentation_page(request: HttpRequest) -> HttpResponse:
    response = render(request, "project/docs.html")
    add_policy(request, response)
    return response


@cache
def build_description() -> bytes:
    """Return the description as JSON. It depends on the settings alone, so each process builds it once."""
    # drf-spectacular takes 0.2 s and 6 MB to import, and most processes never need it.
    from drf_spectacular.generators import SchemaGenerator

    import conversations.api.openapi.extensions  # noqa: F401 - registers the extensions

    body = orjson.dumps(SchemaGenerator(urlconf="conversations.urls").get_schema(public=True))
    if gc.get_freeze_count():
        # The server collects garbage about once per request, and scanning the new modules would take 1 ms each time.
        gc.collect()
        gc.freeze()
    return body
