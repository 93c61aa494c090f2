"""Generated images, and calls of the code interpreter."""

from typing import Annotated, Literal, NotRequired

from conversations.schema.items.hidden_members import HiddenMember
from conversations.schema.items.registry import item_type
from conversations.schema.items.types import JSONObject, OneOf, Open


class ModerationDetails(JSONObject):
    categories: list[str]
    moderation_stage: Open[Literal["input", "output", "unknown"]]


class ImageGenerationError(JSONObject):
    type: str
    code: NotRequired[str | None]
    message: str
    moderation_details: NotRequired[ModerationDetails]
    param: NotRequired[str | None]


class SVGUsage(JSONObject):
    input_tokens: int
    model: str
    output_tokens: int
    reasoning_tokens: int
    total_tokens: int


@item_type(id_prefix="ig_", searchable=("revised_prompt",))
class ImageGenerationCall(JSONObject):
    id: NotRequired[str | None]
    type: Literal["image_generation_call"]
    status: Literal["in_progress", "completed", "generating", "failed"]
    action: NotRequired[Open[Literal["generate", "edit", "auto"]] | None]
    background: NotRequired[Open[Literal["transparent", "opaque", "auto"]] | None]
    error: NotRequired[ImageGenerationError]
    output_format: NotRequired[Open[Literal["png", "webp", "jpeg", "gif", "svg"]] | None]
    quality: NotRequired[Open[Literal["low", "medium", "high", "xhigh", "max", "auto"]] | None]
    result: NotRequired[str | None]
    revised_prompt: NotRequired[str | None]
    size: NotRequired[str | None]
    svg_usage: NotRequired[SVGUsage]


class Logs(JSONObject):
    type: Literal["logs"]
    logs: str


class Image(JSONObject):
    type: Literal["image"]
    url: str


@item_type(id_prefix="ci_", searchable=("code", "outputs"), hidden=(HiddenMember("outputs", substitute=None),))
class CodeInterpreterCall(JSONObject):
    id: NotRequired[str | None]
    type: Literal["code_interpreter_call"]
    status: Literal["in_progress", "completed", "incomplete", "interpreting", "failed"]
    code: NotRequired[str | None]
    container_id: str
    outputs: NotRequired[list[Annotated[Logs | Image, OneOf(is_open=True)]] | None]
