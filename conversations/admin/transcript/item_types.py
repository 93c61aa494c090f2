"""The names of the item types, and how the members of each are shown."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from conversations.admin.transcript.blocks import (
    Label,
    Renderer,
    as_code,
    as_json,
    as_json_text,
    as_lines,
    as_opaque,
    as_terminal,
    as_text,
)
from conversations.admin.transcript.render_content import as_image, as_prose, as_screenshot
from conversations.admin.transcript.render_tools import (
    as_actions,
    as_approval,
    as_commands,
    as_found_files,
    as_outputs,
    as_patch,
    as_sources,
    as_terminal_output,
    as_tools,
    as_web_action,
)

ROLE_NAMES: Mapping[str, Label] = {
    "assistant": _("Assistant"),
    "developer": _("Developer"),
    "system": _("System"),
    "user": _("User"),
}

TYPE_NAMES: Mapping[str, Label] = {
    "additional_tools": _("Additional tools"),
    "apply_patch_call": _("Patch call"),
    "apply_patch_call_output": _("Patch output"),
    "code_interpreter_call": _("Code interpreter call"),
    "compaction": _("Compaction"),
    "compaction_trigger": _("Compaction trigger"),
    "computer_call": _("Computer call"),
    "computer_call_output": _("Computer output"),
    "configuration_update": _("Configuration update"),
    "custom_tool_call": _("Custom tool call"),
    "custom_tool_call_output": _("Custom tool output"),
    "file_search_call": _("File search"),
    "function_call": _("Function call"),
    "function_call_output": _("Function output"),
    "image_generation_call": _("Image generation"),
    "item_reference": _("Item reference"),
    "local_shell_call": _("Local shell call"),
    "local_shell_call_output": _("Local shell output"),
    "mcp_approval_request": _("MCP approval request"),
    "mcp_approval_response": _("MCP approval response"),
    "mcp_call": _("MCP call"),
    "mcp_list_tools": _("MCP tools"),
    "message": _("Message"),
    "program": _("Program"),
    "program_output": _("Program output"),
    "reasoning": _("Reasoning"),
    "shell_call": _("Shell call"),
    "shell_call_output": _("Shell output"),
    "tool_search_call": _("Tool search"),
    "tool_search_output": _("Tool search output"),
    "web_search_call": _("Web search"),
}

# What answers a call; the two hold the same call id.
OUTPUT_TYPES: Mapping[str, str] = {
    "apply_patch_call": "apply_patch_call_output",
    "computer_call": "computer_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "function_call": "function_call_output",
    "local_shell_call": "local_shell_call_output",
    "mcp_approval_request": "mcp_approval_response",
    "program": "program_output",
    "shell_call": "shell_call_output",
    "tool_search_call": "tool_search_output",
}

Layout = Mapping[str, tuple[Label, Renderer]]

# The members that make up an item's body, in the order to show them. Types that are not here are shown as JSON.
LAYOUTS: Mapping[str, Layout] = {
    "additional_tools": {"tools": (_("Tool"), as_tools)},
    "apply_patch_call": {"operation": (_("Operation"), as_patch)},
    "apply_patch_call_output": {"output": (_("Output"), as_terminal)},
    "code_interpreter_call": {"code": (_("Code"), as_code), "outputs": (_("Output"), as_outputs)},
    "compaction": {"encrypted_content": (_("Encrypted content"), as_opaque)},
    "computer_call": {"action": (_("Action"), as_actions), "actions": (_("Actions"), as_actions)},
    "computer_call_output": {"output": (_("Output"), as_screenshot)},
    "configuration_update": {"reasoning": (_("Reasoning"), as_json), "text": (_("Text"), as_json)},
    "custom_tool_call": {"input": (_("Input"), as_json_text)},
    "custom_tool_call_output": {"output": (_("Output"), as_outputs)},
    "file_search_call": {"queries": (_("Queries"), as_lines), "results": (_("Result"), as_found_files)},
    "function_call": {"arguments": (_("Arguments"), as_json_text)},
    "function_call_output": {"output": (_("Output"), as_outputs)},
    "image_generation_call": {"revised_prompt": (_("Revised prompt"), as_text), "result": (_("Image"), as_image)},
    "local_shell_call": {"action": (_("Command"), as_commands)},
    "local_shell_call_output": {"output": (_("Output"), as_terminal_output)},
    "mcp_approval_request": {"arguments": (_("Arguments"), as_json_text)},
    "mcp_approval_response": {"approve": (_("Decision"), as_approval), "reason": (_("Reason"), as_text)},
    "mcp_call": {
        "arguments": (_("Arguments"), as_json_text),
        "output": (_("Output"), as_json_text),
        "error": (_("Error"), as_json_text),
    },
    "mcp_list_tools": {"tools": (_("Tool"), as_tools), "error": (_("Error"), as_json_text)},
    "message": {"content": ("", as_prose)},
    "program": {"code": (_("Code"), as_code), "fingerprint": (_("Fingerprint"), as_opaque)},
    "program_output": {"result": (_("Result"), as_json_text)},
    "reasoning": {
        "summary": (_("Summary"), as_prose),
        "content": (_("Reasoning"), as_prose),
        "encrypted_content": (_("Encrypted content"), as_opaque),
    },
    "shell_call": {"action": (_("Command"), as_commands)},
    "shell_call_output": {"output": (_("Output"), as_terminal_output)},
    "tool_search_call": {"arguments": (_("Arguments"), as_json_text)},
    "tool_search_output": {"tools": (_("Tool"), as_tools)},
    "web_search_call": {"action": (_("Action"), as_web_action), "results": (_("Source"), as_sources)},
}
