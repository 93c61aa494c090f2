"""Tools of MCP servers, their calls, and requests for approval."""

from typing import Annotated, Any, Literal, NotRequired

from conversations.schema.items.registry import item_type
from conversations.schema.items.types import JSONObject, OneOf


class ListedTool(JSONObject):
    annotations: NotRequired[dict[str, Any] | None]
    description: NotRequired[str | None]
    input_schema: dict[str, Any]
    name: str


@item_type(id_prefix="mcpl_", searchable=("server_label", "error"))
class MCPListTools(JSONObject):
    id: NotRequired[str | None]
    type: Literal["mcp_list_tools"]
    error: NotRequired[str | None]
    server_label: str
    tools: list[ListedTool]


@item_type(
    id_prefix="mcpr_",
    searchable=("server_label", "name", "arguments"),
    output_type="mcp_approval_response",
    pairing_member="id",
)
class MCPApprovalRequest(JSONObject):
    id: NotRequired[str | None]
    type: Literal["mcp_approval_request"]
    arguments: str
    name: str
    server_label: str


@item_type(id_prefix="mcpa_", is_prefix_known=False, searchable=("reason",), pairing_member="approval_request_id")
class MCPApprovalResponse(JSONObject):
    id: NotRequired[str | None]
    type: Literal["mcp_approval_response"]
    approval_request_id: str
    approve: bool
    reason: NotRequired[str | None]


class ProtocolError(JSONObject):
    type: Literal["mcp_protocol_error"]
    code: int
    message: str


class ToolExecutionError(JSONObject):
    type: Literal["mcp_tool_execution_error"]
    content: Any


class HTTPError(JSONObject):
    type: Literal["http_error"]
    code: int
    message: str


@item_type(id_prefix="mcp_", searchable=("server_label", "name", "arguments", "output", "error"))
class MCPCall(JSONObject):
    id: NotRequired[str | None]
    type: Literal["mcp_call"]
    status: NotRequired[Literal["in_progress", "completed", "incomplete", "calling", "failed"]]
    approval_request_id: NotRequired[str | None]
    arguments: str
    error: NotRequired[Annotated[ProtocolError | ToolExecutionError | HTTPError, OneOf(is_open=True)] | None]
    name: str
    output: NotRequired[str | None]
    server_label: str
