"""Programs that a model writes to call tools, and updates of its configuration during a conversation."""

from typing import Annotated, Any, Literal, NotRequired

from conversations.schema.items.registry import item_type
from conversations.schema.items.types import CallID, JSONObject, LongText, OneOf, Open, reserved_name


@item_type(id_prefix="cm_", is_prefix_known=False, searchable=("code",), output_type="program_output")
class Program(JSONObject):
    id: NotRequired[str | None]
    type: Literal["program"]
    call_id: CallID
    code: LongText
    fingerprint: LongText


@item_type(id_prefix="cmo_", is_prefix_known=False, searchable=("result",))
class ProgramOutput(JSONObject):
    id: NotRequired[str | None]
    type: Literal["program_output"]
    status: Literal["completed", "incomplete"]
    call_id: CallID
    result: LongText


class ReasoningConfiguration(JSONObject):
    effort: NotRequired[Open[Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]] | None]


class PlainTextFormat(JSONObject):
    type: Literal["text"]


class JSONSchemaFormat(JSONObject):
    type: Literal["json_schema"]
    description: NotRequired[str]
    name: str
    schema: Annotated[dict[str, Any], reserved_name("schema")]
    strict: NotRequired[bool | None]


class TextConfiguration(JSONObject):
    format: Annotated[PlainTextFormat | JSONSchemaFormat, OneOf(is_open=True)]


@item_type(id_prefix="cfg_", is_prefix_known=False, searchable=())
class ConfigurationUpdate(JSONObject):
    id: NotRequired[str | None]
    type: Literal["configuration_update"]
    reasoning: NotRequired[ReasoningConfiguration]
    text: NotRequired[TextConfiguration]
