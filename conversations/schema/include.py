"""What each value of `include` reveals. Items are stored whole; what was not asked for is hidden on the way out.

https://platform.openai.com/docs/api-reference/conversations/list-items#conversations_list_items-include
"""

from collections.abc import Collection
from typing import Any

from conversations import errors

INCLUDABLE = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
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
    """The item as shown to one who asked for `include`: what is hidden is null, empty or left out, as with OpenAI."""
    match item["type"]:
        case "message":
            return item | {"content": [_apply_include_to_part(part, include) for part in item["content"]]}
        case "file_search_call" if "file_search_call.results" not in include:
            return item | {"results": None}
        case "code_interpreter_call" if "code_interpreter_call.outputs" not in include:
            return item | {"outputs": None}
        case "reasoning" if "reasoning.encrypted_content" not in include:
            return _without(item, "encrypted_content")
        case "computer_call_output" if "computer_call_output.output.image_url" not in include:
            return item | {"output": _without(item["output"], "image_url")}
        case "web_search_call":
            if "web_search_call.results" not in include:
                item = _without(item, "results")
            if "web_search_call.action.sources" not in include:
                item = item | {"action": _without(item["action"], "sources")}
    return item


def _apply_include_to_part(part: dict[str, Any], include: Collection[str]) -> dict[str, Any]:
    if part["type"] == "input_image" and "message.input_image.image_url" not in include:
        return part | {"image_url": None}
    if part["type"] == "output_text" and "message.output_text.logprobs" not in include:
        return part | {"logprobs": []}
    return part


def _without(members: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key != name}
