import sys

from django.core.management.base import CommandError

from conversations import api_key_secrets
from conversations.models import APIKey


def get_api_key(text: str) -> APIKey:
    """Return the key with this prefix or secret, or for "-" the key that the first line of standard input names.

    Other users of the machine can read arguments, and a shell's history keeps them. Raise `CommandError` if there is no
    such key or more than one.
    """
    text = (sys.stdin.readline() if text == "-" else text).strip().removesuffix("…")
    is_prefix = len(text) <= api_key_secrets.VISIBLE_LENGTH
    wanted = {"prefix": text} if is_prefix else {"hash": api_key_secrets.hash_secret(text)}
    keys = list(APIKey.objects.select_related("user").filter(**wanted)[:2])
    if not keys:
        raise CommandError(f"No API key has this {'prefix' if is_prefix else 'secret'}.")
    if len(keys) > 1:
        raise CommandError("Several API keys have this prefix. Give the secret, or choose the key in the admin.")
    return keys[0]
