"""Secrets of API keys: their format, and the hash and prefix that the database stores."""

import hashlib
import secrets

SECRET_PREFIX = "sk-conv-"  # noqa: S105 - People and secret scanners recognise it.
VISIBLE_LENGTH = len(SECRET_PREFIX) + 6


def new_secret() -> str:
    """Return a new secret: SECRET_PREFIX and 256 random bits in URL-safe base64."""
    return SECRET_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Return the SHA-256 hash in hex. A fast hash is safe because a secret has too many bits to be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def visible_prefix(secret: str) -> str:
    return secret[:VISIBLE_LENGTH]


def mask_secret(secret: str) -> str:
    """Return the secret for an error message, masked but for the few characters by which its owner recognises it."""
    if len(secret) <= 12:
        return secret[:2] + "*" * (len(secret) - 2)
    return f"{secret[:8]}{'*' * min(len(secret) - 12, 40)}{secret[-4:]}"
