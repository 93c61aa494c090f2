"""How each type of item is shown in the transcript."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.parts import (
    Label,
    Part,
    Renderer,
    as_code,
    as_commands,
    as_content,
    as_json,
    as_json_text,
    as_lines,
    as_opaque,
    as_outputs,
    as_patch,
    others,
)
from conversations.models import Item

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
    "computer_call": _("Computer call"),
    "computer_call_output": _("Computer output"),
    "configuration_update": _("Configuration update"),
    "custom_tool_call": _("Custom tool call"),
    "custom_tool_call_output": _("Custom tool output"),
    "file_search_call": _("File search"),
    "function_call": _("Function call"),
    "function_call_output": _("Function output"),
    "image_generation_call": _("Image generation"),
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

MAX_FACT_CHARACTERS = 200

Layout = Mapping[str, tuple[Label, Renderer]]

# The members that make up an item's body, in the order to show them. Types that are not here are shown as JSON.
LAYOUTS: Mapping[str, Layout] = {
    "apply_patch_call": {"operation": (_("Operation"), as_patch)},
    "apply_patch_call_output": {"output": (_("Output"), as_code)},
    "code_interpreter_call": {"code": (_("Code"), as_code), "outputs": (_("Output"), as_outputs)},
    "compaction": {"encrypted_content": (_("Encrypted content"), as_opaque)},
    "computer_call": {"action": (_("Action"), as_json), "actions": (_("Actions"), as_json)},
    "computer_call_output": {"output": (_("Output"), lambda label, value: as_content(label, [value]))},
    "custom_tool_call": {"input": (_("Input"), as_json_text)},
    "custom_tool_call_output": {"output": (_("Output"), as_outputs)},
    "file_search_call": {"queries": (_("Queries"), as_lines), "results": (_("Results"), as_json)},
    "function_call": {"arguments": (_("Arguments"), as_json_text)},
    "function_call_output": {"output": (_("Output"), as_outputs)},
    "image_generation_call": {
        "revised_prompt": (_("Revised prompt"), as_content),
        "result": (_("image"), as_opaque),
    },
    "local_shell_call": {"action": (_("Action"), as_json)},
    "local_shell_call_output": {"output": (_("Output"), as_json_text)},
    "mcp_approval_request": {"arguments": (_("Arguments"), as_json_text)},
    "mcp_call": {
        "arguments": (_("Arguments"), as_json_text),
        "output": (_("Output"), as_json_text),
        "error": (_("Error"), as_json_text),
    },
    "message": {"content": ("", as_content)},
    "program": {"code": (_("Code"), as_code), "fingerprint": (_("Fingerprint"), as_opaque)},
    "program_output": {"result": (_("Result"), as_json_text)},
    "reasoning": {
        "summary": (_("Summary"), as_content),
        "content": (_("Reasoning"), as_content),
        "encrypted_content": (_("Encrypted content"), as_opaque),
    },
    "shell_call": {"action": (_("Command"), as_commands)},
    "shell_call_output": {"output": (_("Output"), as_outputs)},
    "tool_search_call": {"arguments": (_("Arguments"), as_json_text)},
    "web_search_call": {"action": (_("Action"), as_json)},
}


class ShownItem:
    """An item as the transcript's templates show it: a title, facts for its first line, and parts."""

    layouts: ClassVar[Mapping[str, Layout]] = LAYOUTS
    template: ClassVar[str] = "conversations/items/item.html"

    def __init__(self, item: Item) -> None:
        self.position = item.position
        self.item_id = item.item_id
        self.type = item.type
        self.created_at: datetime = item.created_at
        self._data: Any = item.data

    @property
    def role(self) -> str:
        role = self._data.get("role") if isinstance(self._data, dict) else None
        return role if self.type == "message" and isinstance(role, str) else ""

    @property
    def title(self) -> str:
        name = ROLE_NAMES.get(self.role, self.role) if self.role else TYPE_NAMES.get(self.type, self.type)
        return str(name)

    @cached_property
    def facts(self) -> dict[str, str]:
        """Members that tell what this is about. Only short texts: anything else is shown with the other members."""
        names = ("name", "namespace", "server_label", "call_id", "approval_request_id", "phase", "status")
        members = self._data if isinstance(self._data, dict) else {}
        texts = {name: members[name] for name in names if isinstance(members.get(name), str)}
        return {name: text for name, text in texts.items() if 0 < len(text) <= MAX_FACT_CHARACTERS}

    @cached_property
    def parts(self) -> list[Part]:
        if not isinstance(self._data, dict) or self.type not in self.layouts:
            return as_json(gettext("JSON"), self._data)
        layout = self.layouts[self.type]
        shown = [
            part
            for name, (label, renderer) in layout.items()
            if self._data.get(name) is not None
            for part in renderer(label, self._data[name])
        ]
        told = {"id", "type", *layout, *self.facts, *(["role"] if self.role else [])}
        rest = others({name: value for name, value in self._data.items() if name not in told})
        return shown + rest if shown else as_json(gettext("JSON"), self._data)
