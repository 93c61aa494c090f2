"""The `include` parameter. Items are stored whole, and members that the request does not include are hidden.

https://platform.openai.com/docs/api-reference/conversations/list-items#conversations_list_items-include
"""

from collections.abc import Collection
from typing import Any

from conversations import errors
from conversations.schema.items import ITEM_TYPES

# By item type: each hidden member, and the value of `include` that reveals it.
_HIDDEN_MEMBERS = {
    name: [(member.include_value(name), member) for member in item_type.hidden]
    for name, item_type in ITEM_TYPES.items()
    if item_type.hidden
}
# The order of the values in OpenAI's error message. Other values of the registry follow.
_OPENAI_ORDER = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
INCLUDABLE = tuple(
    dict.fromkeys((*_OPENAI_ORDER, *(value for members in _HIDDEN_MEMBERS.values() for value, _member in members)))
)


def validate_include(include: Any) -> frozenset[str]:
    if not isinstance(include, list):
        names = errors.join_quoted(map(errors.elide, INCLUDABLE), "or")
        raise errors.invalid_type("include", expected=f"an array of one of {names}", got=include)
    for index, value in enumerate(include):
        if value not in INCLUDABLE:
            raise errors.invalid_value(f"include[{index}]", value, supported=INCLUDABLE)
    return frozenset(include)


def apply_include(item: dict[str, Any], include: Collection[str]) -> dict[str, Any]:
    """Return the item as OpenAI shows it: members outside `include` are null, empty or missing."""
    for value, member in _HIDDEN_MEMBERS.get(item["type"], ()):
        if value not in include:
            item = member.hide(item)
    return item
