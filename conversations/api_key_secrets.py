"""Secrets of API keys: what they look like and what is kept of them."""

import hashlib
import secrets

SECRET_PREFIX = "sk-conv-"  # noqa: S105 - a recognisable start, for people and for secret scanners
VISIBLE_LENGTH = len(SECRET_PREFIX) + 6


def new_secret() -> str:
    """256 random bits after a recognisable prefix."""
    return SECRET_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """SHA-256, in hex. A fast hash is enough for a secret that can't be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def visible_prefix(secret: str) -> str:
    return secret[:VISIBLE_LENGTH]


def mask_secret(secret: str) -> str:
    """What an error may show of a wrong key: enough for its owner to recognise it, and no more."""
    if len(secret) <= 12:
        return secret[:2] + "*" * (len(secret) - 2)
    return f"{secret[:8]}{'*' * min(len(secret) - 12, 40)}{secret[-4:]}"
