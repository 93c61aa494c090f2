"""Reasoning of a model, and the compaction of a conversation."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field

from conversations.schema.items.content import ReasoningText, SummaryText
from conversations.schema.items.hidden_members import HiddenMember
from conversations.schema.items.registry import item_type
from conversations.schema.items.types import JSONObject, Status


@item_type(id_prefix="rs_", searchable=("summary", "content"), hidden=(HiddenMember("encrypted_content"),))
class Reasoning(JSONObject):
    id: str
    type: Literal["reasoning"]
    status: NotRequired[Status]
    content: NotRequired[list[ReasoningText]]
    encrypted_content: NotRequired[str | None]
    summary: list[SummaryText]


@item_type(id_prefix="cmp_", searchable=())
class Compaction(JSONObject):
    id: NotRequired[str | None]
    type: Literal["compaction"]
    encrypted_content: Annotated[str, Field(max_length=20_971_520)]
