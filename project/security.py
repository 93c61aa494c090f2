from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from conversations.admin.csp import CONTENT_SECURITY_POLICY


def content_security_policy(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """The app's own pages of the admin set this policy by themselves; here all others of the admin have it too."""

    def with_policy(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path_info.startswith(reverse("admin:index")):
            response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return response

    return with_policy
