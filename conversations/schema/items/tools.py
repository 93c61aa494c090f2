"""Definitions of the tools that a model may call."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field

from conversations.schema.items.containers import (
    AutomaticContainer,
    CodeInterpreterContainer,
    ContainerReference,
    LocalEnvironment,
)
from conversations.schema.items.search_tools import FileSearchTool, WebSearchPreviewTool, WebSearchTool
from conversations.schema.items.types import (
    Background,
    FunctionName,
    JSONObject,
    NonEmptyText,
    OneJSONType,
    OneOf,
    Open,
)

AllowedCaller = Open[Literal["direct", "programmatic"]]
AllowedCallers = Annotated[list[AllowedCaller], Field(min_length=1)]


class FunctionToolMembers(JSONObject):
    type: Literal["function"]
    allowed_callers: NotRequired[list[AllowedCaller] | None]
    defer_loading: NotRequired[bool]
    description: NotRequired[str | None]
    name: str
    output_schema: NotRequired[dict[str, Any] | None]
    parameters: NotRequired[dict[str, Any] | None]
    strict: NotRequired[bool | None]


class FunctionTool(FunctionToolMembers, Background):
    pass


class ComputerTool(JSONObject):
    type: Literal["computer"]


class ComputerUsePreviewTool(JSONObject):
    type: Literal["computer_use_preview"]
    display_height: int
    display_width: int
    environment: Open[Literal["windows", "mac", "linux", "ubuntu", "browser"]]


class MCPToolFilter(JSONObject):
    read_only: NotRequired[bool]
    tool_names: NotRequired[list[str]]


class MCPToolApproval(JSONObject):
    always: NotRequired[MCPToolFilter]
    never: NotRequired[MCPToolFilter]


class MCPTool(JSONObject):
    type: Literal["mcp"]
    allowed_callers: NotRequired[AllowedCallers | None]
    allowed_tools: NotRequired[
        Annotated[list[str] | MCPToolFilter, OneJSONType("one of an array of strings or object")] | None
    ]
    authorization: NotRequired[str]
    connector_id: NotRequired[
        Open[
            Literal[
                "connector_dropbox",
                "connector_gmail",
                "connector_googlecalendar",
                "connector_googledrive",
                "connector_microsoftteams",
                "connector_outlookcalendar",
                "connector_outlookemail",
                "connector_sharepoint",
            ]
        ]
    ]
    defer_loading: NotRequired[bool]
    headers: NotRequired[dict[str, str] | None]
    require_approval: NotRequired[
        Annotated[MCPToolApproval | Open[Literal["always", "never"]], OneJSONType("one of an object or string")] | None
    ]
    server_description: NotRequired[str]
    server_label: str
    server_url: NotRequired[str]
    tunnel_id: NotRequired[Annotated[str, Field(pattern=r"^tunnel_[a-z0-9]{32}$")]]


class CodeInterpreterTool(JSONObject):
    type: Literal["code_interpreter"]
    allowed_callers: NotRequired[AllowedCallers | None]
    container: Annotated[str | CodeInterpreterContainer, OneJSONType("one of a string or object")]


class ProgrammaticToolCalling(JSONObject):
    type: Literal["programmatic_tool_calling"]


class ImageMask(JSONObject):
    file_id: NotRequired[str]
    image_url: NotRequired[str]


class SVGReasoning(JSONObject):
    effort: NotRequired[Open[Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]]]


class SVGOptions(JSONObject):
    model: NotRequired[str]
    reasoning: NotRequired[SVGReasoning | None]


class ImageGenerationTool(JSONObject):
    type: Literal["image_generation"]
    action: NotRequired[Open[Literal["generate", "edit", "auto"]]]
    background: NotRequired[Open[Literal["transparent", "opaque", "auto"]]]
    complexity: NotRequired[Open[Literal["low", "medium", "high"]]]
    frame_count: NotRequired[int]
    frame_duration_ms: NotRequired[int]
    input_fidelity: NotRequired[Open[Literal["high", "low"]] | None]
    input_image_mask: NotRequired[ImageMask]
    model: NotRequired[str]
    moderation: NotRequired[Open[Literal["auto", "low"]]]
    output_compression: NotRequired[Annotated[int, Field(ge=0, le=100)]]
    output_format: NotRequired[Open[Literal["png", "webp", "jpeg", "gif", "svg"]]]
    partial_images: NotRequired[Annotated[int, Field(ge=0, le=3)]]
    quality: NotRequired[Open[Literal["low", "medium", "high", "xhigh", "max", "auto"]]]
    size: NotRequired[str]
    svg: NotRequired[SVGOptions]


class LocalShellTool(JSONObject):
    type: Literal["local_shell"]


class ShellTool(JSONObject):
    type: Literal["shell"]
    allowed_callers: NotRequired[AllowedCallers | None]
    environment: NotRequired[
        Annotated[AutomaticContainer | LocalEnvironment | ContainerReference, OneOf(is_open=True)] | None
    ]


class FreeTextFormat(JSONObject):
    type: Literal["text"]


class GrammarFormat(JSONObject):
    type: Literal["grammar"]
    definition: str
    syntax: Open[Literal["lark", "regex"]]


class CustomToolMembers(JSONObject):
    type: Literal["custom"]
    allowed_callers: NotRequired[AllowedCallers | None]
    defer_loading: NotRequired[bool]
    description: NotRequired[str]
    format: NotRequired[Annotated[FreeTextFormat | GrammarFormat, OneOf(is_open=True)]]
    name: str


class CustomTool(CustomToolMembers, Background):
    pass


class NamespacedFunctionToolMembers(JSONObject):
    type: Literal["function"]
    allowed_callers: NotRequired[AllowedCallers | None]
    defer_loading: NotRequired[bool]
    description: NotRequired[str | None]
    name: FunctionName
    output_schema: NotRequired[dict[str, Any] | None]
    parameters: NotRequired[dict[str, Any] | None]
    strict: NotRequired[bool | None]


class NamespacedFunctionTool(NamespacedFunctionToolMembers, Background):
    pass


class NamespaceTool(JSONObject):
    type: Literal["namespace"]
    description: str
    name: NonEmptyText
    tools: Annotated[list[Annotated[NamespacedFunctionTool | CustomTool, OneOf(is_open=True)]], Field(min_length=1)]


class ToolSearchTool(JSONObject):
    type: Literal["tool_search"]
    description: NotRequired[str | None]
    execution: NotRequired[Open[Literal["server", "client"]]]
    parameters: NotRequired[dict[str, Any] | None]


class ApplyPatchTool(JSONObject):
    type: Literal["apply_patch"]
    allowed_callers: NotRequired[AllowedCallers | None]


Tool = Annotated[
    FunctionTool
    | FileSearchTool
    | ComputerTool
    | ComputerUsePreviewTool
    | WebSearchTool
    | MCPTool
    | CodeInterpreterTool
    | ProgrammaticToolCalling
    | ImageGenerationTool
    | LocalShellTool
    | ShellTool
    | CustomTool
    | NamespaceTool
    | ToolSearchTool
    | WebSearchPreviewTool
    | ApplyPatchTool,
    OneOf(is_open=True),
]
