"""Server-sent events of a response: split the bytes of a stream, read the events, and write new ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

FINAL_EVENTS = {"response.completed", "response.incomplete"}
FAILED_EVENTS = {"response.failed", "response.cancelled", "error"}

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r)")


@dataclass
class Event:
    """An event as it came, with its JSON, or None if it has none."""

    raw: bytes
    data: dict[str, Any] | None

    @property
    def type(self) -> str:
        return str((self.data or {}).get("type", ""))


class EventSplitter:
    """Splits the bytes of a stream into events. Bytes that do not end an event wait for those that do."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Event]:
        start = max(0, len(self._pending) - 3)  # An end may be cut in two.
        self._pending += data
        begin = 0
        for end in _END.finditer(self._pending, start):
            yield _read_event(bytes(self._pending[begin : end.end()]))
            begin = end.end()
        del self._pending[:begin]


class OutputCollector:
    """Collects the finished output items and the response object of a stream."""

    def __init__(self) -> None:
        self.response: dict[str, Any] = {}
        self.sequence_number = -1
        self._items: dict[int, dict[str, Any]] = {}

    def add(self, event: Event) -> None:
        data = event.data or {}
        if isinstance(number := data.get("sequence_number"), int):
            self.sequence_number = number
        if isinstance(response := data.get("response"), dict):
            self.response = response
        if event.type == "response.output_item.done" and isinstance(item := data.get("item"), dict):
            index = data.get("output_index")
            self._items[index if isinstance(index, int) else len(self._items)] = item

    def final_response(self) -> dict[str, Any]:
        """Return the response object with its whole output. Some servers send it only item by item."""
        output = self.response.get("output") or [self._items[index] for index in sorted(self._items)]
        return {**self.response, "output": output}


def write_event(data: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (data["type"].encode(), orjson.dumps(data))


def write_response_event(event: Event, *, conversation_id: str) -> bytes:
    """Return the event with the conversation in its response object, or as it came if it has no such object.

    Its other lines, such as comments and ids, and its line ends stay.
    """
    if event.data is None or not isinstance(response := event.data.get("response"), dict):
        return event.raw
    data = orjson.dumps({**event.data, "response": {**response, "conversation": {"id": conversation_id}}})
    lines, is_written = [], False
    for line, end in _LINE.findall(event.raw):
        if not line.startswith(b"data:"):
            lines.append(line + end)
        elif not is_written:
            lines.append(b"data: " + data + end)
            is_written = True
    return b"".join(lines)


def replay_events(response: dict[str, Any]) -> Iterator[bytes]:
    """Yield a stored response as a stream that has each item and the same final event."""
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(response["output"]):
        events.append({"type": "response.output_item.added", "output_index": index, "item": item})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": f"response.{response['status']}", "response": response})
    for number, event in enumerate(events):
        yield write_event({**event, "sequence_number": number})


def _read_event(raw: bytes) -> Event:
    lines = [line for line, _ in _LINE.findall(raw)]
    texts = [line.removeprefix(b"data:").removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    try:
        data = orjson.loads(b"\n".join(texts).decode("utf-8", "replace"))
    except orjson.JSONDecodeError:  # such as the [DONE] of some servers
        data = None
    return Event(raw, data if isinstance(data, dict) else None)
