"""Reasoning of a model, and the compaction of a conversation."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from conversations.schema.items.content import ReasoningText, SummaryText
from conversations.schema.items.hidden_members import HiddenMember
from conversations.schema.items.registry import item_type
from conversations.schema.items.types import JSONObject, Status


class Reasoning(JSONObject):
    id: NotRequired[str | None]
    type: Literal["reasoning"]
    status: NotRequired[Status]
    content: NotRequired[list[ReasoningText]]
    encrypted_content: NotRequired[str | None]
    summary: list[SummaryText]


def _check_is_usable(item: dict[str, Any]) -> dict[str, Any]:
    """Raise an error if a model could not read the reasoning: it has neither an id nor the encrypted content."""
    if item.get("id") is None and item.get("encrypted_content") is None:
        raise PydanticCustomError("invalid_item", "it has neither id nor encrypted_content")
    return item


_USABLE_SCHEMA: dict[str, Any] = {
    "anyOf": [{"required": [name], "properties": {name: {"type": "string"}}} for name in ("id", "encrypted_content")]
}
item_type(id_prefix="rs_", searchable=("summary", "content"), hidden=(HiddenMember("encrypted_content"),))(
    Annotated[Reasoning, AfterValidator(_check_is_usable), Field(json_schema_extra=_USABLE_SCHEMA)]
)


@item_type(id_prefix="cmp_", searchable=())
class Compaction(JSONObject):
    id: NotRequired[str | None]
    type: Literal["compaction"]
    encrypted_content: Annotated[str, Field(max_length=20_971_520)]
    created_by: NotRequired[str]
