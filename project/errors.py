"""Answers to requests that reach no view: JSON in OpenAI's envelope for clients of the API, else Django's pages."""

import json
import sys

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.log import log_response
from django.views import defaults

from conversations import ids
from conversations.api import errors
from conversations.api.exception_handler import RETRY_AFTER
from conversations.db.errors import is_temporary
from conversations.errors import APIError

SERVER_ERROR = APIError("The server had an error processing your request.", status=500, type="server_error")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_for_api(request):
        return defaults.bad_request(request, exception)
    return render_envelope(APIError("Bad request."))


def disallowed_host(request: HttpRequest) -> HttpResponse:
    """Answer a request for a host that is not in ALLOWED_HOSTS, and log one line."""
    host = request.META.get("HTTP_HOST", "")
    response: HttpResponse
    if wants_page(request):
        response = defaults.bad_request(request, Exception())
    else:
        text = f"This server does not answer requests for the host {host!r}. Add it to ALLOWED_HOSTS."
        response = render_envelope(APIError(text))
    text = "Refused a request for the host %r. To serve it, add it to ALLOWED_HOSTS."
    log_response(text, host, response=response, request=request)
    return response


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Show the page in the admin's look, with what the user may open instead."""
    return render(request, "403.html", admin.site.each_context(request), status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Tell a client of the API with a wrong base URL where the API is."""
    if wants_page(request):
        return defaults.page_not_found(request, exception)
    url = request.build_absolute_uri(settings.API_PREFIX)
    text = f"Invalid URL ({request.method} {request.path}). The API is at {url}: set this as your client's base URL."
    return render_envelope(APIError(text, status=404))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request whose exception is being handled: with 503 if it may succeed later."""
    error = sys.exception()
    if error and is_temporary(error):
        return _unavailable(request, error)
    if not is_for_api(request):
        return defaults.server_error(request)
    return render_envelope(SERVER_ERROR)


def _unavailable(request: HttpRequest, error: BaseException) -> HttpResponse:
    if is_for_api(request):
        response = render_envelope(errors.unavailable())
    else:
        try:
            response = HttpResponse(render_to_string("503.html"), status=503)  # A context may need the database.
        except OSError:  # There may be no file handle for the template.
            response = HttpResponse("Please try again later.", status=503, content_type="text/plain")
    response["Retry-After"] = str(RETRY_AFTER)
    reason = " ".join(str(error).split())
    log_response("%s %s: %s", request.method, request.path, reason, response=response, request=request, level="warning")
    return response


def last_resort(error: BaseException) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body for a request whose answer could not even be rendered."""
    is_busy = is_temporary(error)
    headers = [("content-type", "application/json"), *([("retry-after", str(RETRY_AFTER))] if is_busy else [])]
    answer = errors.unavailable() if is_busy else SERVER_ERROR
    return answer.status, headers, json.dumps(answer.envelope()).encode()


def is_for_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(f"{settings.API_PREFIX}/")


def wants_page(request: HttpRequest) -> bool:
    """Whether to answer with a page: browsers accept HTML, clients of the API do not name it."""
    if is_for_api(request):
        return False
    is_for_admin = request.path_info.startswith(reverse("admin:index"))
    return is_for_admin or "text/html" in request.headers.get("Accept", "")


def render_envelope(error: APIError) -> HttpResponse:
    """Return the response to a request that no view of the API answers."""
    headers = {"x-request-id": ids.new_request_id()}
    return JsonResponse(error.envelope(), status=error.status, headers=headers, json_dumps_params={"indent": 2})
