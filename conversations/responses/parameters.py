"""The members of a request that this server reads. All others are the upstream's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from conversations import errors, ids
from conversations.conf import app_settings
from conversations.errors import APIError
from conversations.responses.errors import background_unsupported, for_input
from conversations.schema.items import ITEM_TYPES, is_item_id, item_id_prefix, validate_items
from conversations.validation import validate_request_items

MAX_TYPE_LENGTH = 64


@dataclass
class TurnParameters:
    """A request with a conversation. `items` are those of its input, as the conversation stores them."""

    conversation_id: str
    body: dict[str, Any]
    input: list[Any]
    items: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_stream(self) -> bool:
        return self.body.get("stream") is True

    @property
    def is_stored(self) -> bool:
        return self.body.get("store") is not False


def has_conversation(body: bytes) -> bool:
    """Whether the JSON of a request names a conversation. The upstream refuses a body that is no JSON object."""
    if b"conversation" not in body:
        return False
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return True  # `loads` of the API's parser may read it, or names the fault.
    return isinstance(value, dict) and value.get("conversation") is not None


def read_turn(body: Any) -> TurnParameters:
    """Return the parameters of a request with a conversation, or raise an `APIError`."""
    conversation_id = _read_conversation(body["conversation"])
    if body.get("previous_response_id") is not None:
        raise errors.mutually_exclusive_parameters([errors.elide("previous_response_id"), "conversation"])
    if body.get("background"):
        raise background_unsupported()
    for name in ("store", "stream"):
        if not isinstance(body.get(name), bool | None):
            raise errors.invalid_type(name, expected="a boolean", got=body[name])
    sent = _read_input(body.get("input"))
    try:
        items = validate_request_items(sent, max_items=None)
    except APIError as error:
        raise for_input(error) from None
    return TurnParameters(conversation_id, body, sent, items)


def clean_output(items: Any, *, taken_ids: set[str]) -> list[dict[str, Any]]:
    """Return the output of a model as items to store, or raise an `APIError`.

    Unlike a client's items, they may be of types that this version does not know. An item whose id is not one of
    OpenAI's format, or in `taken_ids`, gets a new one: some servers count their items from 1 in each response.
    """
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise errors.invalid_type("output", expected="an array of objects", got=items)
    types = {item["type"] for item in items if isinstance(item.get("type"), str)}
    new_types = {name for name in types - ITEM_TYPES.keys() if 0 < len(name) <= MAX_TYPE_LENGTH}
    identified = [_with_id(item, taken_ids=taken_ids) for item in items]
    extra_types = {*app_settings.extra_item_types, *new_types}
    return validate_items(identified, max_items=None, extra_types=extra_types)


def _with_id(item: dict[str, Any], *, taken_ids: set[str]) -> dict[str, Any]:
    item_id, item_type = item.get("id"), str(item.get("type") or "message")
    if item_id not in taken_ids and is_item_id(item_id, item_type=item_type):
        return item
    return {**item, "id": ids.new_id(item_id_prefix(item_type))}


def _read_conversation(value: Any) -> str:
    path = "conversation"
    if isinstance(value, dict):
        path = "conversation.id"
        if "id" not in value:
            raise errors.missing_parameter(path)
        value = value["id"]
    if not isinstance(value, str):
        raise errors.invalid_type(path, expected="a string", got=value)
    ids.check_id(value, prefix=ids.CONVERSATION_PREFIX, path=path)
    return value


def _read_input(value: Any) -> list[Any]:
    match value:
        case None:
            return []
        case str():
            return [{"type": "message", "role": "user", "content": value}]
        case list():
            return value
    raise errors.invalid_type("input", expected="one of a string or array of objects", got=value)
