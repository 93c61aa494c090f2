"""The members of an item that have no renderer of their own: a label and a line of text for each."""

from __future__ import annotations

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
    "acknowledged_safety_checks": _("Acknowledged safety checks"),
    "action": _("Action"),
    "allowed_callers": _("Allowed callers"),
    "allowed_tools": _("Allowed tools"),
    "annotations": _("Annotations"),
    "approval_request_id": _("Approval request"),
    "async": _("Asynchronous"),
    "attributes": _("Attributes"),
    "authorization": _("Authorization"),
    "background": _("Background"),
    "call_id": _("Call id"),
    "caller": _("Caller"),
    "caller_id": _("Caller id"),
    "code": _("Code"),
    "connector_id": _("Connector id"),
    "container": _("Container"),
    "container_file_citation": _("File citation"),
    "container_id": _("Container id"),
    "create_file": _("Create file"),
    "created_by": _("Created by"),
    "defer_loading": _("Loaded on demand"),
    "delete_file": _("Delete file"),
    "detail": _("Detail"),
    "display_height": _("Display height"),
    "display_width": _("Display width"),
    "end_index": _("End"),
    "env": _("Environment variables"),
    "environment": _("Environment"),
    "error": _("Error"),
    "execution": _("Execution"),
    "external_web_access": _("Access to the web"),
    "file_citation": _("File citation"),
    "file_id": _("File id"),
    "file_path": _("File path"),
    "filename": _("File name"),
    "filters": _("Filters"),
    "find_in_page": _("Find in page"),
    "format": _("Format"),
    "headers": _("Headers"),
    "index": _("Position"),
    "input_fidelity": _("Input fidelity"),
    "input_image_mask": _("Image mask"),
    "input_schema": _("Input schema"),
    "logprobs": _("Log probabilities"),
    "max_num_results": _("Maximum number of results"),
    "max_output_length": _("Maximum output length"),
    "message": _("Message"),
    "mode": _("Mode"),
    "model": _("Model"),
    "moderation": _("Moderation"),
    "move_file": _("Move file"),
    "namespace": _("Namespace"),
    "open_page": _("Open page"),
    "outcome": _("Outcome"),
    "output_compression": _("Output compression"),
    "output_format": _("Output format"),
    "output_schema": _("Output schema"),
    "parameters": _("Parameters"),
    "partial_images": _("Partial images"),
    "pattern": _("Pattern"),
    "pending_safety_checks": _("Pending safety checks"),
    "phase": _("Phase"),
    "prompt_cache_breakpoint": _("Prompt cache breakpoint"),
    "quality": _("Quality"),
    "query": _("Query"),
    "ranking_options": _("Ranking options"),
    "require_approval": _("Approval required"),
    "role": _("Role"),
    "score": _("Score"),
    "search_content_types": _("Content types searched"),
    "search_context_size": _("Search context size"),
    "server_description": _("Server description"),
    "server_label": _("Server"),
    "server_url": _("Server URL"),
    "size": _("Size"),
    "start_index": _("Start"),
    "status": _("Status"),
    "strict": _("Strict"),
    "svg_usage": _("SVG usage"),
    "timeout_ms": _("Time-out (ms)"),
    "title": _("Title"),
    "ttl": _("Lifetime"),
    "tunnel_id": _("Tunnel id"),
    "update_file": _("Update file"),
    "url": _("URL"),
    "user": _("User"),
    "user_location": _("User location"),
    "vector_store_ids": _("Vector stores"),
    "working_directory": _("Working directory"),
}


def field_label(name: str) -> Label:
    """Return the label of a member, or the name of one that is not known."""
    return FIELD_LABELS.get(name, name)


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
