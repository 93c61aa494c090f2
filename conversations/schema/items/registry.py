"""The item types: the union of their definitions, told apart by `type`."""

from typing import Annotated

from conversations.schema.items.computer import ComputerCall, ComputerCallOutput
from conversations.schema.items.functions import (
    AdditionalTools,
    CompactionTrigger,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    ItemReference,
    ToolSearchCall,
    ToolSearchOutput,
)
from conversations.schema.items.generation import CodeInterpreterCall, ImageGenerationCall
from conversations.schema.items.mcp import MCPApprovalRequest, MCPApprovalResponse, MCPCall, MCPListTools
from conversations.schema.items.messages import Message
from conversations.schema.items.patches import ApplyPatchCall, ApplyPatchCallOutput
from conversations.schema.items.programs import ConfigurationUpdate, Program, ProgramOutput
from conversations.schema.items.reasoning import Compaction, Reasoning
from conversations.schema.items.search_tools import FileSearchCall, WebSearchCall
from conversations.schema.items.shell import LocalShellCall, LocalShellCallOutput, ShellCall, ShellCallOutput
from conversations.schema.items.types import OneOf, literal_values

Item = Annotated[
    AdditionalTools
    | ApplyPatchCall
    | ApplyPatchCallOutput
    | CodeInterpreterCall
    | Compaction
    | CompactionTrigger
    | ComputerCall
    | ComputerCallOutput
    | ConfigurationUpdate
    | CustomToolCall
    | CustomToolCallOutput
    | FileSearchCall
    | FunctionCall
    | FunctionCallOutput
    | ImageGenerationCall
    | ItemReference
    | LocalShellCall
    | LocalShellCallOutput
    | MCPApprovalRequest
    | MCPApprovalResponse
    | MCPCall
    | MCPListTools
    | Message
    | Program
    | ProgramOutput
    | Reasoning
    | ShellCall
    | ShellCallOutput
    | ToolSearchCall
    | ToolSearchOutput
    | WebSearchCall,
    OneOf(),
]

ITEM_TYPES = frozenset(literal_values(Item, "type"))
