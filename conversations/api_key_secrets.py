"""Secrets of API keys: their format, the hash and prefix that the database stores, and how to keep them out of logs."""

import hashlib
import logging
import re
import secrets

SECRET_PREFIX = "sk-conv-"  # noqa: S105 - People and secret scanners recognise it.
VISIBLE_LENGTH = len(SECRET_PREFIX) + 6
_SECRET = re.compile(rf"({SECRET_PREFIX}[\w-]{{6}})[\w-]{{10,}}", re.ASCII)  # a part of one too, unless it is short


def new_secret() -> str:
    """Return a new secret: SECRET_PREFIX and 256 random bits in URL-safe base64."""
    return SECRET_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Return the SHA-256 hash in hex. A fast hash is safe because a secret has too many bits to be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def visible_prefix(secret: str) -> str:
    return secret[:VISIBLE_LENGTH]


def find_secret(text: str) -> str | None:
    """Return the first secret in a text, or None. Its characters are the same in a URL."""
    match = _SECRET.search(text)
    return match[0] if match else None


def scrub_secrets(text: str, *, mark: str = "…") -> str:
    """Return the text with the visible prefix of each secret instead of the secret, followed by a mark."""
    return _SECRET.sub(rf"\1{mark}", text) if SECRET_PREFIX in text else text


def mask_secret(secret: str) -> str:
    """Return the secret for an error message, masked but for the few characters by which its owner recognises it."""
    if len(secret) <= 12:
        return secret[:2] + "*" * (len(secret) - 2)
    return f"{secret[:8]}{'*' * min(len(secret) - 12, 40)}{secret[-4:]}"


class ScrubSecrets(logging.Filter):
    """Filter for a log handler that replaces each secret in a message or a traceback by its visible prefix."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # The arguments do not fit, which the handler reports.
            return True
        if SECRET_PREFIX in message:
            record.msg, record.args = scrub_secrets(message), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = scrub_secrets(record.exc_text)
        return True
