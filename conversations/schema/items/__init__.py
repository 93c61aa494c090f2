"""Validation of the items that a client sends. Importing this package registers every item type.

https://platform.openai.com/docs/api-reference/conversations/create-item
"""

from collections.abc import Collection
from typing import Annotated, Any, Literal, Union

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, SchemaValidator

from conversations import errors
from conversations.schema.items import (  # noqa: F401
    computer,
    functions,
    generation,
    mcp,
    messages,
    patches,
    programs,
    reasoning,
    search_tools,
    shell,
)
from conversations.schema.items.messages import CHAT_MEMBERS, without_chat_members
from conversations.schema.items.registry import (
    ITEM_TYPES,
    MAX_TOOL_LENGTH,
    check_item_id,
    find_call_id,
    find_tool,
    is_item_id,
    item_id_prefix,
)
from conversations.schema.items.types import OneOf, drop_nulls
from conversations.schema.validation_errors import openai_error

__all__ = [
    "ITEM_TYPES",
    "MAX_TOOL_LENGTH",
    "find_call_id",
    "find_tool",
    "is_item_id",
    "item_id_prefix",
    "validate_items",
]

_definitions = tuple(ITEM_TYPES[name].definition for name in sorted(ITEM_TYPES))
_any_item: Any = Annotated[Union[_definitions], OneOf()]  # noqa: UP007
_schema = drop_nulls(TypeAdapter(_any_item).core_schema)
_validator = SchemaValidator(_schema)


def validate_items(
    items: Any,
    *,
    max_items: int | None = 20,
    unknown_fields: Literal["keep", "reject"] = "keep",
    extra_types: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Return the `items` of a request with their default values, or raise an `APIError` if they are not valid.

    Items that were sent without an id have none yet. Of items whose type is in `extra_types`, only the id is checked.
    """
    if not isinstance(items, list):
        raise errors.invalid_type("items", expected="an array of objects", got=items)
    if max_items is not None and len(items) > max_items:
        raise errors.array_too_long("items", items, maximum=max_items)
    prepared = [_prepare(item, index, extra_types) for index, item in enumerate(items)]
    validated = _validate(prepared, "allow" if unknown_fields == "keep" else "forbid")
    for index, item in enumerate(validated):
        if (item_id := item.get("id")) is not None:
            check_item_id(item_id, item_type=item["type"], path=f"items[{index}].id")
    return validated


def _prepare(sent: Any, index: int, extra_types: Collection[str]) -> dict[str, Any]:
    """Return the item with its type, which clients may leave out of messages and references."""
    if not isinstance(sent, dict):
        raise errors.invalid_type(f"items[{index}]", expected="an object", got=sent)
    item: dict[str, Any] = sent
    item_type = item.get("type")
    if item_type is None:
        item_type = "item_reference" if item.keys() - {"type"} == {"id"} else "message"
        item = item | {"type": item_type}
    elif not isinstance(item_type, str):
        raise errors.invalid_type(f"items[{index}].type", expected="a string", got=item_type)
    elif item_type not in ITEM_TYPES and item_type not in extra_types:
        raise errors.invalid_value(f"items[{index}]", item_type, supported=sorted({*ITEM_TYPES, *extra_types}))
    if item_type == "message" and not CHAT_MEMBERS.isdisjoint(item):
        return without_chat_members(item, path=f"items[{index}]")
    return item


def _validate(items: list[dict[str, Any]], extra: Literal["allow", "forbid"]) -> list[dict[str, Any]]:
    validated: list[dict[str, Any]] = []
    failures: list[ErrorDetails] = []
    for index, item in enumerate(items):
        if item["type"] not in ITEM_TYPES:
            validated.append(item)
            continue
        try:
            validated.append(_validator.validate_python(item, extra=extra))
        except ValidationError as error:
            failures += [{**d, "loc": (index, *d["loc"])} for d in error.errors(include_url=False)]
    if failures:
        raise openai_error(failures, path="items", values=items, schema=_schema)
    return validated
