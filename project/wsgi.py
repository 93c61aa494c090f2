import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.signals import request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, reset_queries
from django.http import HttpResponse

from project.time_limits import limit_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
handler = get_wsgi_application()
limit_statements()
# Connections are looked after at the end of each request, and what is logged of their queries has a limit.
request_started.disconnect(close_old_connections)
request_started.disconnect(reset_queries)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers that are there as a whole go as a list, which Granian sends at once instead of asking for each part."""
    response = handler(environ, start_response)
    if not isinstance(response, HttpResponse):
        return response
    response.close()
    return [response.content]
