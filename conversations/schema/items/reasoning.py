"""What a model thought, and what a conversation was compacted to."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field

from conversations.schema.items.content import ReasoningText, SummaryText
from conversations.schema.items.types import JSONObject, Status


class Reasoning(JSONObject):
    id: str
    type: Literal["reasoning"]
    status: NotRequired[Status]
    content: NotRequired[list[ReasoningText]]
    encrypted_content: NotRequired[str | None]
    summary: list[SummaryText]


class Compaction(JSONObject):
    id: NotRequired[str | None]
    type: Literal["compaction"]
    encrypted_content: Annotated[str, Field(max_length=20_971_520)]
