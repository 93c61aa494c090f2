from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from conversations.admin.csp import add_policy


def content_security_policy(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Set the app's Content-Security-Policy on every page of the admin, Django's own pages included."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path_info.startswith(reverse("admin:index")):
            add_policy(request, response)
        return response

    return middleware
