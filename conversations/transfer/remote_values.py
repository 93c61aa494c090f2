"""Adapt what another server returns to what can be stored here, and describe what is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from conversations import ids
from conversations.errors import APIError
from conversations.schema.export_format import validate_item_line
from conversations.schema.items import item_id_prefix, validate_items
from conversations.schema.json_limits import check_limits, check_storable, replace_lone_surrogates
from conversations.schema.metadata import MAX_PAIRS, validate_metadata

# OpenAI's ids begin with the Unix second, in ids of the Conversations API, or have it after 18 digits, in ids of the
# Responses API.
_ID_SECOND = re.compile(r"[a-z]+_(?:[0-9a-f]{18}(?=[0-9a-f]{32}\Z)|(?=[0-9a-f]{48}\Z))([0-9a-f]{8})", re.ASCII)

Report = Callable[[str], None]


def adapt_metadata(metadata: Any, *, report: Report) -> dict[str, str]:
    """Return the pairs that can be stored. Other values than texts become JSON texts."""
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        report("metadata: left out, because it is not an object")
        return {}
    pairs: dict[str, str] = {}
    for key, value in metadata.items():
        if len(pairs) == MAX_PAIRS:
            report(f"metadata: only the first {MAX_PAIRS} of {len(metadata)} pairs are stored")
            break
        text = value if isinstance(value, str) else json.dumps(value)
        try:
            check_storable({key: text}, path="metadata")
            pairs |= validate_metadata({key: text})
        except APIError as error:
            report(f"metadata: a pair is left out. {error.message}")
            continue
        if text is not value:
            report(f"metadata: the value of {key!r} is not a text, and is stored as {text!r}")
    return pairs


class ItemAdapter:
    """Converts the items of one conversation to lines of an export, with dense positions and ascending times."""

    def __init__(self, conversation_id: str, *, created_at: datetime, report: Report) -> None:
        self.conversation_id = conversation_id
        self.count = 0
        self.last_at: datetime | None = None
        self._earliest = created_at
        self._report = report
        self._ids: set[str] = set()
        self._number = 0  # of the item on the other server

    def adapt(self, item: Any) -> dict[str, Any] | None:
        """Return the line of the next item, or report why there is none."""
        self._number += 1
        if not isinstance(item, dict):
            self._report(f"item {self._number}: left out, because it is not an object")
            return None
        data = replace_lone_surrogates(item)
        if data != item:
            self._report(f"item {self._number}: lone surrogates in its text are replaced by U+FFFD")
        data = _as_parts(data)
        if isinstance(data.get("id"), str) and data["id"] in self._ids:
            self._report(f"item {self._number}: left out, because {data['id']!r} is in the conversation already")
            return None
        try:
            check_limits(data)
            data = self._with_valid_id(data)
            created_at = self._time_of(data["id"])
            line = {
                "object": "conversation.item",
                "conversation_id": self.conversation_id,
                "position": self.count + 1,
                "created_at": created_at.isoformat(),
                "data": data,
            }
            validate_item_line(line)
        except APIError as error:
            self._report(f"item {self._number}: left out. {error.message}")
            return None
        self.count += 1
        self.last_at = self._earliest = created_at
        self._ids.add(data["id"])
        return line

    def _with_valid_id(self, data: dict[str, Any]) -> dict[str, Any]:
        item_id = data.get("id")
        if isinstance(item_id, str) and ids.is_well_formed(item_id):
            return data
        data = {**data, "id": ids.new_id(item_id_prefix(str(data.get("type"))))}
        self._report(f"item {self._number}: the id {item_id!r} can't be stored. The new id is {data['id']!r}")
        return data

    def _time_of(self, item_id: str) -> datetime:
        """Return the time in the id, or the time of the item before: the API returns no times of items."""
        time = id_time(item_id)
        return time if time and self._earliest <= time <= datetime.now(UTC) else self._earliest


def id_time(value: str) -> datetime | None:
    """Return the second in an id of OpenAI's format, or None for an id of another format."""
    match = _ID_SECOND.match(value)
    return datetime.fromtimestamp(int(match[1], 16), tz=UTC) if match else None


def _as_parts(item: dict[str, Any]) -> dict[str, Any]:
    """Return the item, with content as a list of parts if it is a message with a bare text, as some servers have it."""
    if item.get("type", "message") != "message" or not isinstance(item.get("content"), str):
        return item
    try:
        [message] = validate_items([{name: value for name, value in item.items() if name != "id"}])
    except APIError:
        return item
    return {"id": item.get("id"), **message}
