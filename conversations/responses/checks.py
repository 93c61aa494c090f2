"""System checks of the settings of model calls."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error

from conversations.responses.conf import upstream_settings


def check_upstream(**kwargs: Any) -> list[CheckMessage]:
    return [*_check_url(), *_check_limits(), *_check_lists()]


def _check_url() -> Iterator[CheckMessage]:
    url: object = upstream_settings.upstream_url
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.endswith("/v1"):
        yield Error(
            f"CONVERSATIONS_UPSTREAM_URL is {url!r}, not a URL that begins with http:// or https:// and ends in /v1.",
            id="conversations_responses.E001",
        )


def _check_limits() -> Iterator[CheckMessage]:
    for name in ("connect_seconds", "idle_seconds", "max_bytes", "seconds"):
        value: object = getattr(upstream_settings, f"upstream_{name}")
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            yield Error(
                f"CONVERSATIONS_UPSTREAM_{name.upper()} is {value!r}, not a number above 0.",
                id="conversations_responses.E002",
            )


def _check_lists() -> Iterator[CheckMessage]:
    for name in ("omitted_types", "users"):
        value: object = getattr(upstream_settings, f"upstream_{name}")
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            yield Error(
                f"CONVERSATIONS_UPSTREAM_{name.upper()} is {value!r}, not a list of names.",
                id="conversations_responses.E003",
            )
