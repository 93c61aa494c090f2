"""Redactors of projects."""

import re
from typing import Any

import orjson

from conversations.errors import APIError

_NUMBER = re.compile(r"\b[0-9]{16}\b")


def hide_numbers(data: dict[str, Any]) -> dict[str, Any]:
    """Replace 16 digits anywhere in the item."""
    redacted: dict[str, Any] = orjson.loads(_NUMBER.sub("[card]", orjson.dumps(data).decode()))
    return redacted


def refuse_secrets(data: dict[str, Any]) -> dict[str, Any]:
    if "secret" in str(data):
        raise APIError("The item has a secret.", code="secret")
    return data


def fail(data: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError("broken")


def replace_id(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "id": "msg_other"}
