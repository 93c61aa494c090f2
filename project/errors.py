"""Error handlers for failures outside of views: JSON in OpenAI's envelope for the API, Django's pages elsewhere."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from conversations.errors import APIError


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_for_api(request):
        return defaults.bad_request(request, exception)
    return _render_envelope(APIError("Bad request."))


def server_error(request: HttpRequest) -> HttpResponse:
    if not is_for_api(request):
        return defaults.server_error(request)
    return _render_envelope(
        APIError("The server had an error processing your request.", status=500, type="server_error")
    )


def is_for_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(f"{settings.API_PREFIX}/")


def _render_envelope(error: APIError) -> HttpResponse:
    return JsonResponse(error.envelope(), status=error.status, json_dumps_params={"indent": 2})
