"""Content parts of messages and of tool outputs."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field

from conversations.schema.items.types import DefaultTo, JSONObject, LongText, Number, OneOf

ImageURL = Annotated[str, Field(max_length=20_971_520)]
FileData = Annotated[str, Field(max_length=73_400_320)]
ImageDetail = Literal["low", "high", "auto", "original"]


class PromptCacheBreakpoint(JSONObject):
    mode: Literal["explicit"]
    ttl: NotRequired[Literal["30m", "12h"]]


class InputText(JSONObject):
    type: Literal["input_text"]
    text: LongText
    prompt_cache_breakpoint: NotRequired[PromptCacheBreakpoint | None]


class InputImage(JSONObject):
    type: Literal["input_image"]
    detail: NotRequired[Annotated[ImageDetail, DefaultTo("auto")]]
    file_id: NotRequired[Annotated[str | None, DefaultTo(None)]]
    image_url: NotRequired[Annotated[ImageURL | None, DefaultTo(None)]]
    prompt_cache_breakpoint: NotRequired[PromptCacheBreakpoint | None]


class InputFile(JSONObject):
    type: Literal["input_file"]
    file_id: NotRequired[Annotated[str | None, DefaultTo(None)]]
    filename: NotRequired[str | None]
    file_data: NotRequired[FileData | None]
    file_url: NotRequired[str | None]
    detail: NotRequired[Literal["auto", "low", "high"]]
    prompt_cache_breakpoint: NotRequired[PromptCacheBreakpoint | None]


InputContent = Annotated[InputText | InputImage | InputFile, OneOf()]


class FileCitation(JSONObject):
    type: Literal["file_citation"]
    file_id: str
    filename: str
    index: int


class URLCitation(JSONObject):
    type: Literal["url_citation"]
    end_index: int
    start_index: int
    title: str
    url: str


class ContainerFileCitation(JSONObject):
    type: Literal["container_file_citation"]
    container_id: str
    end_index: int
    file_id: str
    filename: str
    start_index: int


class FilePath(JSONObject):
    type: Literal["file_path"]
    file_id: str
    index: int


Annotation = Annotated[FileCitation | URLCitation | ContainerFileCitation | FilePath, OneOf(is_open=True)]


class TopLogProb(JSONObject):
    token: str
    logprob: Number
    bytes: list[int]


class LogProb(JSONObject):
    token: str
    logprob: Number
    bytes: list[int]
    top_logprobs: list[TopLogProb]


class OutputText(JSONObject):
    type: Literal["output_text"]
    annotations: NotRequired[Annotated[list[Annotation], DefaultTo([])]]
    logprobs: NotRequired[Annotated[list[LogProb], DefaultTo([])]]
    text: str


class Refusal(JSONObject):
    type: Literal["refusal"]
    refusal: str


OutputContent = Annotated[OutputText | Refusal, OneOf()]


class SummaryText(JSONObject):
    type: Literal["summary_text"]
    text: str


class ReasoningText(JSONObject):
    type: Literal["reasoning_text"]
    text: str
