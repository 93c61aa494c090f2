"""Tools that were found, or given, in the middle of a conversation."""

from typing import Annotated, Any, Literal, NotRequired

from conversations.schema.tools import Tool
from conversations.schema.types import CallID, CompletedStatus, DefaultTo, JSONObject

OptionalCallID = Annotated[CallID | None, DefaultTo(None)]
Execution = Annotated[Literal["server", "client"], DefaultTo("server")]


class ToolSearchCall(JSONObject):
    id: NotRequired[str | None]
    type: Literal["tool_search_call"]
    status: NotRequired[CompletedStatus]
    arguments: dict[str, Any]
    call_id: NotRequired[OptionalCallID]
    execution: NotRequired[Execution]


class ToolSearchOutput(JSONObject):
    id: NotRequired[str | None]
    type: Literal["tool_search_output"]
    status: NotRequired[CompletedStatus]
    call_id: NotRequired[OptionalCallID]
    execution: NotRequired[Execution]
    tools: list[Tool]


class AdditionalTools(JSONObject):
    id: NotRequired[str | None]
    type: Literal["additional_tools"]
    role: Literal["developer"]
    tools: list[Tool]
