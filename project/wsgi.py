import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse

from project.time_limits import limit_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
handler = get_wsgi_application()
limit_statements()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers that are there as a whole go as a list, which Granian sends at once instead of asking for each part."""
    response = handler(environ, start_response)
    if not isinstance(response, HttpResponse):
        return response
    response.close()
    return [response.content]
