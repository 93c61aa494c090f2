"""Find out whether an item reports a failure: failed or unfinished, an error, an exit code, or a refused approval."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

FailureReason = Literal["failed", "incomplete", "error", "exit_code", "timeout", "refused"]

FAILED = "failed"  # the stored status of an item with a failure

MAX_PARSED_CHARACTERS = 1_000_000  # of an output that may be JSON; a longer one is not parsed
# Types whose `output` is text that a tool of the client wrote. Nothing in their schema says that the tool failed.
TEXT_OUTPUT_TYPES = {
    "apply_patch_call_output",
    "custom_tool_call_output",
    "function_call_output",
    "local_shell_call_output",
    "mcp_call",
    "program_output",
}
# Types that report a failure by other members than `status`.
REPORTING_TYPES = TEXT_OUTPUT_TYPES | {
    "code_interpreter_call",
    "mcp_approval_response",
    "mcp_list_tools",
    "shell_call_output",
}
ERROR_TEXT = re.compile(
    r"\A\s*(?:[A-Za-z_.]*(?:Error|Exception)\b:?|error:|ERROR:|An error occurred while running the tool\b)"
    r"|(?:^|\n)Traceback \(most recent call last\):"
)


@dataclass(frozen=True)
class Failure:
    """Why an item counts as failed. `exit_code` is set if that is the reason."""

    reason: FailureReason
    exit_code: int | None = None


def find_failure(data: Any) -> Failure | None:
    """Return the most specific failure that the item's JSON reports, or None. Any JSON value is accepted."""
    if not isinstance(data, dict):
        return None
    # Most items are of a type that reports a failure by its status alone, and each append comes here.
    if isinstance(item_type := data.get("type"), str) and item_type in REPORTING_TYPES:
        for failure in _failures(data, item_type):
            if failure:
                return failure
    status = data.get("status")
    return Failure(status) if status in ("failed", "incomplete") else None


def _failures(data: dict[str, Any], item_type: str) -> Iterator[Failure | None]:
    if item_type == "mcp_approval_response" and data.get("approve") is False:
        yield Failure("refused")
    if item_type in ("mcp_call", "mcp_list_tools") and data.get("error"):
        yield Failure("error")
    if item_type == "shell_call_output":
        yield from map(_outcome, _dicts(data.get("output")))
    if item_type == "code_interpreter_call":
        yield from (_text(output["logs"]) for output in _dicts(data.get("outputs")) if "logs" in output)
    if item_type in TEXT_OUTPUT_TYPES:
        output = data.get("result" if item_type == "program_output" else "output")
        yield _text(output)
        yield from (_text(part.get("text")) for part in _dicts(output))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []


def _outcome(output: dict[str, Any]) -> Failure | None:
    match output.get("outcome"):
        case {"type": "exit", "exit_code": int(code)} if code:
            return Failure("exit_code", exit_code=code)
        case {"type": "timeout"}:
            return Failure("timeout")
    return None


def _text(text: Any) -> Failure | None:
    """Return the failure that a tool's own text reports: an error message, a traceback, or an object with an error."""
    if not isinstance(text, str):
        return None
    if text.lstrip()[:1] != "{" or len(text) > MAX_PARSED_CHARACTERS:
        return Failure("error") if ERROR_TEXT.search(text) else None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _object(value) if isinstance(value, dict) else None


def _object(value: dict[str, Any]) -> Failure | None:
    metadata = value.get("metadata")
    for members in (value, metadata if isinstance(metadata, dict) else {}):
        for name in ("exit_code", "exitCode", "returncode"):
            if isinstance(code := members.get(name), int) and not isinstance(code, bool) and code:
                return Failure("exit_code", exit_code=code)
    if value.get("timed_out") is True or value.get("status") == "timeout":
        return Failure("timeout")
    is_error = any(value.get(name) for name in ("error", "errors", "is_error", "isError"))
    is_failure = any(value.get(name) is False for name in ("success", "ok"))
    if is_error or is_failure or value.get("status") in ("error", "failed", "failure"):
        return Failure("error")
    return None
