"""What may become a link: absolute addresses of the web. Everything else stays text."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# Browsers drop control characters and read a backslash as a slash, so the host they see would be another.
UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\\\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")
BIDIRECTIONAL_CONTROLS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
MAX_URL_LENGTH = 2_000


def web_host(url: object) -> str:
    """Return the host of an absolute http or https URL in ASCII, or "" for any other value."""
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


def with_visible_controls(text: str) -> str:
    """Names and addresses as they are stored, without the characters that would show them in another order."""
    return BIDIRECTIONAL_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
