"""Recognize a repeated request by its headers, its URL and its body."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from rest_framework.request import Request

from conversations import errors
from conversations.conf import app_settings
from conversations.models import PendingRecord

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
MAX_KEY_LENGTH = 255
DIGEST_BYTES = 16

_COUNT = re.compile(r"[0-9]{1,4}", re.ASCII)


def build_record(
    request: Request, *, body_digest: bytes, end_user: str | None, is_create: bool
) -> PendingRecord | None:
    """Return the unsaved record for a request that can be recognized again, or None for any other.

    Without an Idempotency-Key, a create is never recognized: agents SDKs send the same empty body for every new
    session, so that a guess could hand one person's conversation to another. An end user's Idempotency-Keys are
    independent of those of others.

    Raise `APIError` if the Idempotency-Key is too short or too long.
    """
    headers = request.META
    key = headers.get("HTTP_IDEMPOTENCY_KEY")
    retry_count = _retry_count(headers)
    if key is None:
        if retry_count is None or is_create or not app_settings.recognize_retries:
            return None
        api_key_id = getattr(request.auth, "pk", "")
        facts = _facts(request, body_digest)
        return PendingRecord.without_key(
            _digest("request", request.user.pk, api_key_id, end_user, *facts), retry_count=retry_count
        )
    if not key:
        raise errors.empty_string(HEADER)
    if len(key) > MAX_KEY_LENGTH:
        raise errors.string_too_long(HEADER, key, maximum=MAX_KEY_LENGTH)
    fingerprint = _digest(*_facts(request, body_digest))
    key_digest = _digest("key", request.user.pk, end_user, key)
    return PendingRecord.with_key(key_digest, fingerprint=fingerprint, retry_count=retry_count or 0)


def _facts(request: Request, body_digest: bytes) -> tuple[str | None, str, str, bytes]:
    http = request._request
    return http.method, http.path, http.META.get("QUERY_STRING", ""), body_digest


def _retry_count(headers: Mapping[str, Any]) -> int | None:
    """Return how many times OpenAI's client has sent the request before, or None if another client sent it."""
    header = headers.get("HTTP_X_STAINLESS_RETRY_COUNT")
    return int(header) if header and _COUNT.fullmatch(header) else None


def _digest(*parts: Any) -> str:
    """Return a hash of the parts, in which None differs from the text "None"."""
    return blake2b("\n".join(map(repr, parts)).encode(), digest_size=DIGEST_BYTES).hexdigest()
