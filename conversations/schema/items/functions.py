"""Calls of the client's own functions and tools, searches for tools, and references to items."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field

from conversations.schema.items.content import InputContent
from conversations.schema.items.registry import item_type
from conversations.schema.items.tools import Tool
from conversations.schema.items.types import (
    Background,
    CallID,
    CompletedStatus,
    DefaultTo,
    JSONObject,
    LongText,
    Namespace,
    OneJSONType,
    OneOf,
)

OptionalCallID = Annotated[CallID | None, DefaultTo(None)]
Execution = Annotated[Literal["server", "client"], DefaultTo("server")]


class DirectCaller(JSONObject):
    type: Literal["direct"]


class ProgramCaller(JSONObject):
    type: Literal["program"]
    caller_id: CallID


Caller = Annotated[DirectCaller | ProgramCaller, OneOf()]


class FunctionCallMembers(JSONObject):
    id: NotRequired[str | None]
    type: Literal["function_call"]
    status: NotRequired[CompletedStatus]
    arguments: str
    # OpenAI's schema sets no limit here; its service refuses more than 64 characters.
    call_id: Annotated[str, Field(max_length=64)]
    caller: NotRequired[Caller | None]
    name: str
    namespace: NotRequired[str]
    created_by: NotRequired[str]


@item_type(id_prefix="fc_", searchable=("name", "arguments"), output_type="function_call_output")
class FunctionCall(FunctionCallMembers, Background):
    pass


@item_type(id_prefix="fc_", searchable=("output",))
class FunctionCallOutput(JSONObject):
    id: NotRequired[str | None]
    type: Literal["function_call_output"]
    status: NotRequired[CompletedStatus]
    call_id: NotRequired[CallID | None]
    caller: NotRequired[Caller | None]
    name: NotRequired[Annotated[str, Field(min_length=1, max_length=128)] | None]
    namespace: NotRequired[Namespace | None]
    output: Annotated[LongText | list[InputContent], OneJSONType("one of a string or array of objects")]
    created_by: NotRequired[str]


class CustomToolCallMembers(JSONObject):
    id: NotRequired[str | None]
    type: Literal["custom_tool_call"]
    call_id: str
    caller: NotRequired[Caller | None]
    name: str
    input: str
    namespace: NotRequired[str]


@item_type(id_prefix="ctc_", searchable=("name", "input"), output_type="custom_tool_call_output")
class CustomToolCall(CustomToolCallMembers, Background):
    pass


@item_type(id_prefix="ctco_", searchable=("output",))
class CustomToolCallOutput(JSONObject):
    id: NotRequired[str | None]
    type: Literal["custom_tool_call_output"]
    call_id: str
    caller: NotRequired[Caller | None]
    output: Annotated[str | list[InputContent], OneJSONType("one of a string or array of objects")]


@item_type(id_prefix="tsc_", searchable=("arguments",), output_type="tool_search_output")
class ToolSearchCall(JSONObject):
    id: NotRequired[str | None]
    type: Literal["tool_search_call"]
    status: NotRequired[CompletedStatus]
    arguments: dict[str, Any]
    call_id: NotRequired[OptionalCallID]
    execution: NotRequired[Execution]
    created_by: NotRequired[str]


@item_type(id_prefix="tso_", searchable=())
class ToolSearchOutput(JSONObject):
    id: NotRequired[str | None]
    type: Literal["tool_search_output"]
    status: NotRequired[CompletedStatus]
    call_id: NotRequired[OptionalCallID]
    execution: NotRequired[Execution]
    tools: list[Tool]
    created_by: NotRequired[str]


@item_type(id_prefix="at_", is_prefix_known=False, searchable=())
class AdditionalTools(JSONObject):
    id: NotRequired[str | None]
    type: Literal["additional_tools"]
    role: Literal["developer"]
    tools: list[Tool]


@item_type(id_prefix="", searchable=())
class ItemReference(JSONObject):
    id: str
    type: Literal["item_reference"]


@item_type(id_prefix="", searchable=())
class CompactionTrigger(JSONObject):
    id: NotRequired[str | None]
    type: Literal["compaction_trigger"]
