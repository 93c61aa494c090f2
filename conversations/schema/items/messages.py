"""Messages. The role distinguishes messages of the assistant from input messages."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from conversations import errors
from conversations.schema.items.content import InputContent, OutputContent
from conversations.schema.items.hidden_members import HiddenMember
from conversations.schema.items.registry import item_type
from conversations.schema.items.types import CompletedStatus, JSONObject, LongText, OneOf

# Members of messages in the Chat Completions API. As unknown members, they would break the replay of the conversation.
CHAT_MEMBERS = frozenset({"annotations", "audio", "function_call", "name", "refusal", "tool_call_id", "tool_calls"})
CHAT_REPLACEMENTS = {
    "function_call": "the call as an item of type 'function_call'",
    "refusal": "it as a content part of type 'refusal'",
    "tool_call_id": "the output as an item of type 'function_call_output'",
    "tool_calls": "each call as an item of type 'function_call'",
}


def without_chat_members(message: dict[str, Any], *, path: str) -> dict[str, Any]:
    """Return the message without the null members of `CHAT_MEMBERS`.

    Raise an error if one is not null and the information in it has another place in the Conversations API.
    """
    for name, replacement in CHAT_REPLACEMENTS.items():
        if message.get(name) is not None:
            raise errors.APIError(
                f"Unknown parameter: '{path}.{name}'. Only messages of the Chat Completions API have it. "
                f"Send {replacement} instead.",
                param=f"{path}.{name}",
                code="unknown_parameter",
            )
    return {name: value for name, value in message.items() if value is not None or name not in CHAT_MEMBERS}


def _as_input_text(value: Any) -> Any:
    return _as_parts(value, {"type": "input_text", "text": value})


def _as_output_text(value: Any) -> Any:
    return _as_parts(value, {"type": "output_text", "text": value})


def _as_parts(value: Any, part: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return [part]
    if not isinstance(value, list):
        raise PydanticCustomError("invalid_type", "{expected}", {"expected": "one of a string or array of objects"})
    return value


def _refuse_phase(value: Any) -> None:
    if value is not None:
        raise PydanticCustomError("unknown_parameter", "only assistant messages have it")


class InputMessage(JSONObject):
    id: NotRequired[str | None]
    type: Literal["message"]
    status: NotRequired[CompletedStatus]
    content: Annotated[
        list[InputContent], BeforeValidator(_as_input_text, json_schema_input_type=LongText | list[InputContent])
    ]
    phase: NotRequired[Annotated[None, BeforeValidator(_refuse_phase)]]
    role: Literal["system", "developer", "user"]


class OutputMessage(JSONObject):
    id: NotRequired[str | None]
    type: Literal["message"]
    status: NotRequired[CompletedStatus]
    content: Annotated[
        list[OutputContent], BeforeValidator(_as_output_text, json_schema_input_type=str | list[OutputContent])
    ]
    phase: NotRequired[Literal["commentary", "final_answer"] | None]
    role: Literal["assistant"]


Message = Annotated[OutputMessage | InputMessage, OneOf("role")]

item_type(
    id_prefix="msg_",
    searchable=("content",),
    hidden=(
        HiddenMember("image_url", part_type="input_image", substitute=None),
        HiddenMember("logprobs", part_type="output_text", substitute=[]),
    ),
)(Message)
