"""The rate limit of the API: CONVERSATIONS_RATE_LIMIT requests for each API key.

It counts with DRF's throttle in Django's cache. A count is read and written again without a lock, so that requests at
the same time may be counted once: the limit is approximate.
"""

import logging
from typing import Any

from django.db import router
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from conversations.conf import app_settings
from conversations.db.aliases import database_key
from conversations.models import APIKey

logger = logging.getLogger("conversations.api")


class RateLimit(SimpleRateThrottle):
    """Limit for each API key, or for each user who authenticates in another way."""

    key = None

    def get_rate(self) -> str:
        return app_settings.rate_limit

    def get_cache_key(self, request: Request, view: Any) -> str:
        if isinstance(request.auth, APIKey):
            return f"conversations-rate-{request.auth.hash}"
        database = "-".join(database_key(router.db_for_read(APIKey)))  # Users of other tenants may have the same id.
        return f"conversations-rate-{database}-{request.user.pk}"

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether the request is within the limit. While the cache fails, every request is."""
        try:
            return super().allow_request(request, view)
        except Exception:  # The exception's class depends on the cache backend.
            logger.exception("The cache can't be used. Requests are not limited.")
            self.key = None
            return True

    def headers(self) -> dict[str, str]:
        """Return OpenAI's headers for the response to a request that was counted or refused."""
        if self.key is None:
            return {}
        reset = self.duration - (self.now - self.history[0]) if self.history else 0
        return {
            "x-ratelimit-limit-requests": str(self.num_requests),
            "x-ratelimit-remaining-requests": str(max(0, self.num_requests - len(self.history))),
            "x-ratelimit-reset-requests": format_duration(reset),
        }


def format_duration(seconds: float) -> str:
    """Return the duration as OpenAI writes it: "6m0s", "1.5s", "20ms"."""
    milliseconds = max(0, round(seconds * 1000))
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text
