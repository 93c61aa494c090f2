"""Ids of the outputs of local shell calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conversations.schema.items import is_item_id

CALL, OUTPUT = "local_shell_call", "local_shell_call_output"


def identify_shell_outputs(
    items: list[Mapping[str, Any]], *, find_calls: Callable[[list[str]], dict[str, Any]]
) -> list[Mapping[str, Any]]:
    """Give a local shell call's output that was sent with the id of the call item the call's `call_id` as its id.

    OpenAI's description of the output's id can be read as the id of the call's item, which only one item can have.
    `find_calls` returns the stored calls with these ids, by id.
    """
    sent_ids = [item["id"] for item in items if item["type"] == OUTPUT and item.get("id")]
    if not sent_ids:
        return items
    calls = find_calls(sent_ids)
    calls |= {item["id"]: item for item in items if item["type"] == CALL and item.get("id")}
    return [
        {**item, "id": _output_id(calls[item["id"]])} if item["type"] == OUTPUT and item.get("id") in calls else item
        for item in items
    ]


def _output_id(call: Mapping[str, Any]) -> str | None:
    """Return the `call_id` if an output can have it as its id, or None to give the output a new one."""
    call_id = call.get("call_id")
    return call_id if call_id != call["id"] and is_item_id(call_id, item_type=OUTPUT) else None
