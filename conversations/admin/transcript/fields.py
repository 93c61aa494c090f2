"""The members of an item that have no renderer of their own: a label and a line of text for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.transcript.blocks import (
    Block,
    Label,
    as_json,
    as_text,
    pretty_json,
    truncate_opaque_members,
)
from conversations.rendering.safe_urls import escape_bidi_controls

MAX_SHORT_CHARACTERS = 80  # A longer member does not get a line of its own.

# Members of items and of what they hold, operations of patches, actions of a web search, and types of annotations.
FIELD_LABELS: Mapping[str, Label] = {
    "allowed_callers": _("Allowed callers"),
    "allowed_tools": _("Allowed tools"),
    "approval_request_id": _("Approval request"),
    "async": _("Asynchronous"),
    "call_id": _("Call id"),
    "caller": _("Caller"),
    "caller_id": _("Caller id"),
    "code": _("Code"),
    "connector_id": _("Connector id"),
    "container_file_citation": _("File citation"),
    "container_id": _("Container id"),
    "create_file": _("Create file"),
    "created_by": _("Created by"),
    "delete_file": _("Delete file"),
    "detail": _("Detail"),
    "end_index": _("End"),
    "env": _("Environment variables"),
    "environment": _("Environment"),
    "error": _("Error"),
    "execution": _("Execution"),
    "file_citation": _("File citation"),
    "file_id": _("File id"),
    "file_path": _("File path"),
    "filename": _("File name"),
    "find_in_page": _("Find in page"),
    "format": _("Format"),
    "index": _("Position"),
    "input_schema": _("Input schema"),
    "max_output_length": _("Maximum output length"),
    "message": _("Message"),
    "mode": _("Mode"),
    "model": _("Model"),
    "move_file": _("Move file"),
    "namespace": _("Namespace"),
    "open_page": _("Open page"),
    "outcome": _("Outcome"),
    "output_format": _("Output format"),
    "output_schema": _("Output schema"),
    "parameters": _("Parameters"),
    "pattern": _("Pattern"),
    "phase": _("Phase"),
    "prompt_cache_breakpoint": _("Prompt cache breakpoint"),
    "quality": _("Quality"),
    "query": _("Query"),
    "require_approval": _("Approval required"),
    "role": _("Role"),
    "score": _("Score"),
    "server_description": _("Server description"),
    "server_label": _("Server"),
    "server_url": _("Server URL"),
    "size": _("Size"),
    "start_index": _("Start"),
    "status": _("Status"),
    "timeout_ms": _("Time-out (ms)"),
    "title": _("Title"),
    "ttl": _("Lifetime"),
    "update_file": _("Update file"),
    "url": _("URL"),
    "user": _("User"),
    "user_location": _("User location"),
    "working_directory": _("Working directory"),
}
_API_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def field_label(name: str) -> Label:
    """Return the label of a member. The name of an unknown one in snake case becomes words; any other one stays."""
    if name in FIELD_LABELS:
        return FIELD_LABELS[name]
    return name.replace("_", " ").capitalize() if _API_NAME.fullmatch(name) else name


def remaining_fields(members: dict[Any, Any]) -> list[Block]:
    """Show short members on a line each, and the others together as JSON. Leave out null, [] and {}."""
    filled = {name: value for name, value in members.items() if value not in (None, [], {})}
    lines = {name: _line(value) for name, value in filled.items()}
    short = {name: line for name, line in lines.items() if len(line) <= MAX_SHORT_CHARACTERS}
    long = {name: value for name, value in filled.items() if name not in short}
    blocks = [Block("field", field_label(name), escape_bidi_controls(line), name=name) for name, line in short.items()]
    if len(long) == 1:
        [(name, value)] = long.items()
        return blocks + as_text(field_label(name), truncate_opaque_members(value))
    return blocks + (as_json(_("Other fields"), long) if long else [])


def _line(value: Any) -> str:
    """Return a text, a list of texts or a flat object of known members as people write it, and other values as JSON."""
    match value:
        case str():
            return value
        case bool():
            return gettext("yes") if value else gettext("no")
        case [*texts] if all(isinstance(text, str) and "," not in text for text in texts):
            return ", ".join(texts)
        case {"type": str(kind), **members} if all(
            name in FIELD_LABELS and isinstance(member, str | int | float | None) for name, member in members.items()
        ):
            filled = ((name, _line(member)) for name, member in members.items() if member is not None)
            return " · ".join([kind, *(f"{field_label(str(name))}: {line}" for name, line in filled)])
    return pretty_json(value, indented=False)
