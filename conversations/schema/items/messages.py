"""Messages. The role distinguishes messages of the assistant from input messages."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from conversations.schema.items.content import InputContent, OutputContent
from conversations.schema.items.hidden_members import HiddenMember
from conversations.schema.items.registry import item_type
from conversations.schema.items.types import CompletedStatus, JSONObject, OneOf


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


def _refuse_phase(value: Any) -> Any:
    raise PydanticCustomError("unknown_parameter", "only assistant messages have it")


class InputMessage(JSONObject):
    id: NotRequired[str | None]
    type: Literal["message"]
    status: NotRequired[CompletedStatus]
    content: Annotated[list[InputContent], BeforeValidator(_as_input_text)]
    phase: NotRequired[Annotated[Any, BeforeValidator(_refuse_phase)]]
    role: Literal["system", "developer", "user"]


class OutputMessage(JSONObject):
    id: NotRequired[str | None]
    type: Literal["message"]
    status: NotRequired[CompletedStatus]
    content: Annotated[list[OutputContent], BeforeValidator(_as_output_text)]
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
