"""Checks for URLs in message content. Only absolute http, https and mailto URLs become links."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# Browsers drop control characters and read a backslash as a slash, so they would open another host than urlsplit finds.
UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\\\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")
BIDIRECTIONAL_CONTROLS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
MAX_URL_LENGTH = 2_000


def web_host(url: object) -> str:
    """Return the host of an absolute http or https URL, in ASCII, or "" for any other value."""
    if not isinstance(url, str) or len(url) > MAX_URL_LENGTH or UNSAFE.search(url):
        return ""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return host.encode("idna").decode() if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""


def is_mailto(url: str) -> bool:
    return url.lower().startswith("mailto:") and len(url) <= MAX_URL_LENGTH and not UNSAFE.search(url)


def escape_bidi_controls(text: str) -> str:
    """Replace characters that change the reading direction, which could disguise a file name or a URL."""
    return BIDIRECTIONAL_CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
