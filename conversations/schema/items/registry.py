"""The registry of item types.

Each type is declared once, by a decorator in the module of its family:

    @item_type(id_prefix="fc_", searchable=("name", "arguments"), output_type="function_call_output")
    class FunctionCall(JSONObject): ...

Validation, ids, full-text search, `include` and the admin, which shows calls beside their outputs, read the registry.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from conversations import errors, ids
from conversations.schema.items.hidden_members import HiddenMember
from conversations.schema.items.types import literal_values
from conversations.schema.json_limits import replace_nul

MAX_TOOL_LENGTH = 128  # of the name of a tool, for its index
EXTRA_ITEM_PREFIX = "item_"  # for the types in CONVERSATIONS_EXTRA_ITEM_TYPES

T = TypeVar("T")


@dataclass(frozen=True)
class ItemType:
    name: str
    definition: Any  # the TypedDict, or the union of TypedDicts, that pydantic validates
    id_prefix: str
    is_prefix_known: bool
    searchable: tuple[str, ...]
    output_type: str
    pairing_member: str
    hidden: tuple[HiddenMember, ...]


ITEM_TYPES: dict[str, ItemType] = {}
_known_prefixes = {ids.CONVERSATION_PREFIX}


def item_type(
    *,
    id_prefix: str,
    is_prefix_known: bool = True,
    searchable: tuple[str, ...],
    output_type: str = "",
    pairing_member: str = "call_id",
    hidden: tuple[HiddenMember, ...] = (),
) -> Callable[[T], T]:
    """Register a definition under the value of its member `type`.

    `id_prefix` begins the new ids of these items. It is empty for types that are never stored.
    `is_prefix_known` is False if OpenAI's prefix is unknown. Ids that clients send then need no prefix.
    `searchable` are the members with readable text for full-text search. Leave out tool definitions, because a search
    would find every conversation that has the tool, and files, images and encrypted content.
    `output_type` is the type of the item that answers a call. `pairing_member` has the same value in both.
    `hidden` are the members that answers contain only if the request includes them.
    """

    def register(definition: T) -> T:
        [name] = set(literal_values(definition, "type"))
        ITEM_TYPES[name] = ItemType(
            name, definition, id_prefix, is_prefix_known, searchable, output_type, pairing_member, hidden
        )
        if is_prefix_known and id_prefix:
            _known_prefixes.add(id_prefix)
        return definition

    return register


def find_call_id(data: Mapping[str, Any]) -> str:
    """Return the text that pairs a call with its outputs, or "" if the item has none.

    It is the value of the type's pairing member, with U+FFFD for NUL, because no column can hold it. An unknown type
    pairs by `call_id`, as most types do.
    """
    registered = ITEM_TYPES.get(data["type"])
    call_id = data.get(registered.pairing_member if registered else "call_id")
    return replace_nul(call_id) if isinstance(call_id, str) else ""


def find_tool(data: Mapping[str, Any]) -> str:
    """Return the name of the tool that the item calls, or "" if it is no call.

    It is the member `name`, with U+FFFD for NUL and at most `MAX_TOOL_LENGTH` characters. The tools of calls without a
    name are named after the type: a `web_search_call` calls `web_search`.
    """
    item_type = data["type"]
    if not isinstance(item_type, str) or not item_type.endswith("_call"):
        return ""
    name = data.get("name")
    tool = replace_nul(name) if isinstance(name, str) and name else item_type.removesuffix("_call")
    return tool[:MAX_TOOL_LENGTH]


def item_id_prefix(item_type: str) -> str:
    registered = ITEM_TYPES.get(item_type)
    return registered.id_prefix if registered else EXTRA_ITEM_PREFIX


def known_id_prefixes() -> list[str]:
    """Return the prefixes of conversations and of the item types whose prefix at OpenAI is known."""
    return sorted(_known_prefixes)


def check_item_id(item_id: Any, *, item_type: str, path: str) -> None:
    """Raise an error that names `path` unless an item of this type can have the id.

    The id begins with OpenAI's prefix for the type. If that is unknown, it begins with no prefix of anything else.
    """
    registered = ITEM_TYPES.get(item_type)
    if not isinstance(item_id, str):
        raise errors.invalid_type(path, expected="a string", got=item_id)
    if registered and registered.is_prefix_known:
        ids.check_id(item_id, prefix=registered.id_prefix, path=path)
        return
    ids.check_id(item_id, path=path)
    for prefix in _known_prefixes:
        if item_id.startswith(prefix):
            raise errors.foreign_id_prefix(path, item_id, prefix=prefix)


def is_item_id(value: Any, *, item_type: str) -> bool:
    """Whether an item of this type can have the id."""
    try:
        check_item_id(value, item_type=item_type, path="id")
    except errors.APIError:
        return False
    return True
