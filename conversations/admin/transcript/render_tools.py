"""Renderers for calls of tools and their outputs: commands, patches, searches, actions, and lists of tools."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.transcript.blocks import (
    Block,
    Label,
    as_json,
    as_json_text,
    as_lines,
    as_terminal,
    pretty_json,
    render_each,
)
from conversations.admin.transcript.fields import field_label, remaining_fields
from conversations.admin.transcript.render_content import as_content_part, as_image, as_link
from conversations.rendering.safe_urls import escape_bidi_controls


def as_outputs(label: Label, value: Any) -> list[Block]:
    """Render the outputs of code or shell commands: a list of logs, images, or pairs of stdout and stderr."""
    if not isinstance(value, list):
        return as_json_text(label, value)
    return render_each(_output, label, value)


def as_terminal_output(label: Label, value: Any) -> list[Block]:
    return as_terminal(label, value) if isinstance(value, str) else as_outputs(label, value)


def as_patch(label: Label, value: Any) -> list[Block]:
    match value:
        case {"type": str(operation), "path": str(path), **rest}:
            diff = rest.pop("diff", None)
            file = Block("field", field_label(operation), escape_bidi_controls(path), name=operation)
            if isinstance(diff, str):
                return [file, Block("diff", _("Diff"), diff), *remaining_fields(rest)]
            return [file, *remaining_fields({"diff": diff, **rest})]
    return as_json(label, value)


def as_commands(label: Label, value: Any) -> list[Block]:
    match value:
        case {"commands": [*commands], **rest} if all(isinstance(command, str) for command in commands):
            return [*(Block("terminal", label, f"$ {command}") for command in commands), *remaining_fields(rest)]
        case {"type": "exec", "command": [*words], **rest} if all(isinstance(word, str) for word in words):
            return [Block("terminal", label, f"$ {shlex.join(words)}"), *remaining_fields(rest)]
    return as_json(label, value)


def as_actions(label: Label, value: Any) -> list[Block]:
    """Render actions on a computer, one step on each line."""
    actions = value if isinstance(value, list) else [value]
    if not actions or not all(isinstance(action, dict) and isinstance(action.get("type"), str) for action in actions):
        return as_json(label, value) if value else []
    return [Block("steps", label, "\n".join(map(_step, actions)))]


def as_web_action(label: Label, value: Any) -> list[Block]:
    match value:
        case {"type": "search", **rest}:
            queries, sources = rest.pop("queries", None), rest.pop("sources", None)
            if isinstance(rest.get("query"), str) and isinstance(queries, list) and rest["query"] in queries:
                del rest["query"]
            blocks = as_lines(_("Queries"), queries) if queries else []
            if isinstance(rest.get("query"), str):
                blocks += as_lines(_("Query"), [rest.pop("query")])
            return [*blocks, *(as_sources(_("Source"), sources) if sources else []), *remaining_fields(rest)]
        case {"type": "open_page" | "find_in_page" as kind, "url": str(url), **rest}:
            return [
                *as_link(_("Open page") if kind == "open_page" else _("Find in page"), url),
                *remaining_fields(rest),
            ]
        case {"type": str(kind), **rest}:
            return [Block("field", label, str(field_label(kind)), name=kind), *remaining_fields(rest)]
    return as_json(label, value)


def as_sources(label: Label, value: Any) -> list[Block]:
    if not isinstance(value, list):
        return as_json(label, value)
    return render_each(_source, label, value)


def as_file_results(label: Label, value: Any) -> list[Block]:
    if not isinstance(value, list):
        return as_json(label, value)
    return render_each(_file_result, label, value)


def as_tools(label: Label, value: Any) -> list[Block]:
    if not isinstance(value, list):
        return as_json(label, value)
    return render_each(_tool, label, value)


def as_approval(label: Label, value: Any) -> list[Block]:
    if not isinstance(value, bool):
        return as_json(label, value)
    return [Block("field", label, gettext("approved") if value else gettext("refused"))]


def _output(label: Label, value: Any) -> Iterable[Block]:
    match value:
        case {"type": "logs", "logs": str(logs), **rest}:
            yield Block("terminal", _("Logs"), logs)
        case {"type": "image", "url": str(url), **rest}:
            yield from as_image(_("Image"), url)
        case {"stdout": str(stdout), "stderr": str(stderr), **rest}:
            if stdout or not stderr:
                yield Block("terminal", _("Standard output"), stdout)
            if stderr:
                yield Block("terminal", _("Standard error"), stderr)
            yield from _outcome(rest.pop("outcome", None))
        case _:
            yield from as_content_part(label, value)
            return
    yield from remaining_fields(rest)


def _outcome(value: Any) -> list[Block]:
    match value:
        case {"type": "exit", "exit_code": int(code), **rest}:
            return [Block("field", _("Exit code"), str(code)), *remaining_fields(rest)]
        case {"type": "timeout", **rest}:
            return [Block("field", _("Outcome"), gettext("timeout")), *remaining_fields(rest)]
    return remaining_fields({"outcome": value})


def _step(action: dict[str, Any]) -> str:
    members = {name: value for name, value in action.items() if name != "type" and value not in (None, [])}
    arguments = " ".join(f"{name}={pretty_json(value, indented=False)}" for name, value in members.items())
    return f"{action['type']} {arguments}".strip().replace("\n", " ")


def _source(label: Label, value: Any) -> list[Block]:
    match value:
        case {"url": str(url), **rest}:
            title = rest.pop("title", "")
            if rest.get("type") == "url":
                del rest["type"]
            return [*as_link(label, url, title if isinstance(title, str) else ""), *remaining_fields(rest)]
    return as_json(label, value)


def _file_result(label: Label, value: Any) -> list[Block]:
    if not isinstance(value, dict) or not value:
        return as_json(label, value)
    rest = dict(value)
    name, text = rest.pop("filename", None), rest.pop("text", None)
    excerpt = [Block("text", "", text)] if isinstance(text, str) else remaining_fields({"text": text})
    title = escape_bidi_controls(name) if isinstance(name, str) else gettext("file")
    malformed_name = {} if isinstance(name, str) else {"filename": name}
    return [Block("group", label, title, blocks=[*excerpt, *remaining_fields({**malformed_name, **rest})])]


def _tool(label: Label, value: Any) -> list[Block]:
    if not isinstance(value, dict) or not value:
        return as_json(label, value)
    rest = dict(value)
    kind = rest.pop("type", None)
    names = [rest.pop(member) for member in ("name", "server_label") if isinstance(rest.get(member), str)]
    title = " · ".join(map(escape_bidi_controls, [*names, *([kind] if isinstance(kind, str) else [])]))
    description = rest.pop("description", None)
    blocks = (
        [Block("text", "", description)]
        if isinstance(description, str)
        else remaining_fields({"description": description})
    )
    if isinstance(rest.get("tools"), list):
        blocks += as_tools(_("Tool"), rest.pop("tools"))
    blocks += remaining_fields(rest if isinstance(kind, str) else {**rest, "type": kind})
    return [Block("group", label, title or gettext("tool"), blocks=blocks)]
