import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, reset_queries
from django.http import HttpResponse

from conversations.id_clock import follow_database
from project.time_limits import limit_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
handler = get_wsgi_application()
limit_statements()
follow_database()
# Django closes old connections at the end of each request too, and its log of queries has a maximum length. Doing both
# at the start costs 6 % more CPU per write and 11 % per read: `python -m tests.benchmarks.api` without these two lines.
request_started.disconnect(close_old_connections)
request_started.disconnect(reset_queries)
# No middleware sets a URLconf, and connections to the cache may stay open: the remaining ends of each request.
request_finished.disconnect(reset_urlconf)
request_finished.disconnect(close_caches)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Return a complete response as a list, which Granian sends at once instead of iterating over it."""
    response = handler(environ, start_response)
    if not isinstance(response, HttpResponse):
        return response
    response.close()
    return [response.content]
