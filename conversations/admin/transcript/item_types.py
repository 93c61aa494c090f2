"""How the transcript shows each item type: its label, its template and the renderers of its members.

`item.TranscriptItem` looks its type up here. It shows an item of a type that is not here as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from django.utils.translation import gettext_lazy as _

from conversations.admin.transcript.blocks import (
    Label,
    Renderer,
    as_javascript,
    as_json,
    as_json_text,
    as_lines,
    as_opaque,
    as_python,
    as_terminal,
    as_text,
)
from conversations.admin.transcript.render_content import as_image, as_prose, as_screenshot
from conversations.admin.transcript.render_tools import (
    as_actions,
    as_approval,
    as_commands,
    as_file_results,
    as_outputs,
    as_patch,
    as_sources,
    as_terminal_output,
    as_tools,
    as_web_action,
)

# The title of a message is the name of its role.
ROLE_NAMES: Mapping[str, Label] = {
    "assistant": _("Assistant"),
    "developer": _("Developer"),
    "system": _("System"),
    "user": _("User"),
}


@dataclass(frozen=True)
class ItemDisplay:
    """The label of an item type, its template, and the renderers for the members in an item's body.

    `template` is the name of a template in `conversations/items/`, such as `call.html`, that many types share. A
    project overrides it for a single type by a template that is named after the type, such as `mcp_call.html`.

    `renderers` has a label, which may be empty, and a renderer for each member by its name. The body shows the members
    in this order, if the item has them, and then the remaining members that are not in the item's header. An item of a
    type without any renderers is shown as JSON.
    """

    label: Label
    template: Literal["call", "compaction", "item", "message", "output", "reasoning", "tools"]
    renderers: Mapping[str, tuple[Label, Renderer]] = field(default_factory=dict)


ITEM_DISPLAYS: Mapping[str, ItemDisplay] = {
    "additional_tools": ItemDisplay(_("Additional tools"), "tools", {"tools": (_("Tool"), as_tools)}),
    "apply_patch_call": ItemDisplay(_("Patch call"), "call", {"operation": (_("Operation"), as_patch)}),
    "apply_patch_call_output": ItemDisplay(_("Patch output"), "output", {"output": (_("Output"), as_terminal)}),
    "code_interpreter_call": ItemDisplay(
        _("Code interpreter call"),
        "call",
        {"code": (_("Code"), as_python), "outputs": (_("Output"), as_outputs)},
    ),
    "compaction": ItemDisplay(
        _("Compaction"), "compaction", {"encrypted_content": (_("Encrypted content"), as_opaque)}
    ),
    "compaction_trigger": ItemDisplay(_("Compaction trigger"), "item"),
    "computer_call": ItemDisplay(
        _("Computer call"), "call", {"action": (_("Action"), as_actions), "actions": (_("Actions"), as_actions)}
    ),
    "computer_call_output": ItemDisplay(_("Computer output"), "output", {"output": (_("Output"), as_screenshot)}),
    "configuration_update": ItemDisplay(
        _("Configuration update"), "item", {"reasoning": (_("Reasoning"), as_json), "text": (_("Text"), as_json)}
    ),
    "custom_tool_call": ItemDisplay(_("Custom tool call"), "call", {"input": (_("Input"), as_json_text)}),
    "custom_tool_call_output": ItemDisplay(_("Custom tool output"), "output", {"output": (_("Output"), as_outputs)}),
    "file_search_call": ItemDisplay(
        _("File search"),
        "call",
        {"queries": (_("Queries"), as_lines), "results": (_("Result"), as_file_results)},
    ),
    "function_call": ItemDisplay(_("Function call"), "call", {"arguments": (_("Arguments"), as_json_text)}),
    "function_call_output": ItemDisplay(_("Function output"), "output", {"output": (_("Output"), as_outputs)}),
    "image_generation_call": ItemDisplay(
        _("Image generation"),
        "call",
        {"revised_prompt": (_("Revised prompt"), as_text), "result": (_("Image"), as_image)},
    ),
    "item_reference": ItemDisplay(_("Item reference"), "item"),
    "local_shell_call": ItemDisplay(_("Local shell call"), "call", {"action": (_("Command"), as_commands)}),
    "local_shell_call_output": ItemDisplay(
        _("Local shell output"), "output", {"output": (_("Output"), as_terminal_output)}
    ),
    "mcp_approval_request": ItemDisplay(
        _("MCP approval request"), "call", {"arguments": (_("Arguments"), as_json_text)}
    ),
    "mcp_approval_response": ItemDisplay(
        _("MCP approval response"),
        "output",
        {"approve": (_("Decision"), as_approval), "reason": (_("Reason"), as_text)},
    ),
    "mcp_call": ItemDisplay(
        _("MCP call"),
        "call",
        {
            "arguments": (_("Arguments"), as_json_text),
            "output": (_("Output"), as_json_text),
            "error": (_("Error"), as_json_text),
        },
    ),
    "mcp_list_tools": ItemDisplay(
        _("MCP tools"), "tools", {"tools": (_("Tool"), as_tools), "error": (_("Error"), as_json_text)}
    ),
    "message": ItemDisplay(_("Message"), "message", {"content": ("", as_prose)}),
    "program": ItemDisplay(
        _("Program"), "call", {"code": (_("Code"), as_javascript), "fingerprint": (_("Fingerprint"), as_opaque)}
    ),
    "program_output": ItemDisplay(_("Program output"), "output", {"result": (_("Result"), as_json_text)}),
    "reasoning": ItemDisplay(
        _("Reasoning"),
        "reasoning",
        {
            "summary": (_("Summary"), as_prose),
            "content": (_("Reasoning"), as_prose),
            "encrypted_content": (_("Encrypted content"), as_opaque),
        },
    ),
    "shell_call": ItemDisplay(_("Shell call"), "call", {"action": (_("Command"), as_commands)}),
    "shell_call_output": ItemDisplay(_("Shell output"), "output", {"output": (_("Output"), as_terminal_output)}),
    "tool_search_call": ItemDisplay(_("Tool search"), "call", {"arguments": (_("Arguments"), as_json_text)}),
    "tool_search_output": ItemDisplay(_("Tool search output"), "output", {"tools": (_("Tool"), as_tools)}),
    "web_search_call": ItemDisplay(
        _("Web search"),
        "call",
        {"action": (_("Action"), as_web_action), "results": (_("Source"), as_sources)},
    ),
}


def type_label(item_type: str) -> str:
    """Return the name of an item type for people, or the type itself if it is not known."""
    return str(ITEM_DISPLAYS[item_type].label) if item_type in ITEM_DISPLAYS else item_type
