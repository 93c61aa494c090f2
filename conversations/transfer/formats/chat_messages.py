"""JSON Lines with the messages of each conversation, as OpenAI's fine-tuning takes them.

A line is `{"messages": […]}` with messages of the Chat Completions API:

- A message has its text parts, and a user's message its images. A developer's message becomes a system message, because
  fine-tuning has no developers.
- Calls of functions and custom tools become the `tool_calls` of an assistant message, followed by a message with the
  role `tool` for each output. A call without an output is left out, unless it ends the conversation. An output is left
  out if another message comes between its call and it.

Everything else is left out and counted in `omissions`. A conversation without any message has no line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from conversations.transfer.formats.base import FileFormat
from conversations.transfer.segments import ConversationSegment

ROLES = {"assistant": "assistant", "developer": "system", "system": "system", "user": "user"}
TEXT_PARTS = ("input_text", "output_text", "text")
CALLS = ("custom_tool_call", "function_call")
OUTPUTS = ("custom_tool_call_output", "function_call_output")


class ChatMessages(FileFormat):
    def __init__(self) -> None:
        super().__init__()
        self._has_message = False  # whether the line of the current conversation has been begun
        self._turn: dict[str, Any] | None = None  # an assistant message that calls may still be added to
        self._outputs: dict[str, dict[str, Any]] = {}  # messages with the outputs of its calls, by call id

    def write(self, segments: Iterable[ConversationSegment]) -> bytes:
        chunks: list[bytes] = []
        for segment in segments:
            if segment.is_first:
                chunks.append(self.end())
            for item in segment.items:
                chunks += self._add(item.data)
        return b"".join(chunks)

    def end(self) -> bytes:
        """End the line of the current conversation."""
        chunks = list(self._flush(is_last=True))
        if not self._has_message:
            return b""
        self._has_message = False
        return b"".join([*chunks, b"]}\n"])

    def _add(self, data: dict[str, Any]) -> Iterator[bytes]:
        """Yield the messages that are complete before this item."""
        item_type, role, call_id = data.get("type"), data.get("role"), data.get("call_id")
        if item_type == "message" and isinstance(role, str) and role in ROLES:
            yield from self._add_message(data, ROLES[role])
        elif item_type in CALLS and isinstance(call_id, str):
            if self._outputs:
                yield from self._flush()
            self._turn = self._turn or {"role": "assistant"}
            self._turn.setdefault("tool_calls", []).append(_tool_call(data))
        elif item_type in OUTPUTS and isinstance(call_id, str) and call_id in self._unanswered():
            self._outputs[call_id] = {
                "role": "tool",
                "tool_call_id": call_id,
                "content": self._content(data.get("output"), item_type, has_images=False),
            }
        else:
            self.omissions[str(item_type)] += 1

    def _add_message(self, data: dict[str, Any], role: str) -> Iterator[bytes]:
        message: dict[str, Any] = {"role": role}
        parts = data.get("content")
        refusals = [part["refusal"] for part in _objects(parts) if isinstance(part.get("refusal"), str)]
        content = self._content(parts, "message", has_images=role == "user")
        if content:
            message["content"] = content
        if refusals and role == "assistant":
            message["refusal"] = "\n".join(refusals)
        if len(message) == 1:
            self.omissions["message"] += 1
        elif role == "assistant" and self._turn and "content" not in self._turn and not self._outputs:
            self._turn |= message  # The model wrote the text after its calls, in the same response.
        elif role == "assistant":
            yield from self._flush()
            self._turn = message
        else:
            yield from self._flush()
            yield self._message(message)

    def _content(self, value: Any, name: str, *, has_images: bool) -> str | list[dict[str, Any]]:
        """Return the text of a message or an output, or its parts if there are several of them."""
        if isinstance(value, str):
            return value
        parts: list[dict[str, Any]] = []
        for part in _objects(value):
            if part.get("type") in TEXT_PARTS and isinstance(part.get("text"), str):
                parts.append({"type": "text", "text": part["text"]})
            elif has_images and part.get("type") == "input_image" and isinstance(part.get("image_url"), str):
                detail = {"detail": part["detail"]} if isinstance(part.get("detail"), str) else {}
                parts.append({"type": "image_url", "image_url": {"url": part["image_url"], **detail}})
            elif part.get("type") != "refusal":
                self.omissions[f"{part.get('type')} in {name}"] += 1
        if len(parts) == 1 and parts[0]["type"] == "text":
            text: str = parts[0]["text"]
            return text
        return parts or ""

    def _unanswered(self) -> set[str]:
        calls = self._turn.get("tool_calls", []) if self._turn else []
        return {call["id"] for call in calls} - self._outputs.keys()

    def _flush(self, *, is_last: bool = False) -> Iterator[bytes]:
        """Yield the assistant's message with its calls, and the outputs of these."""
        turn, outputs = self._turn, self._outputs
        self._turn, self._outputs = None, {}
        if turn is None:
            return
        calls = turn.pop("tool_calls", [])
        kept = calls if is_last and not outputs else [call for call in calls if call["id"] in outputs]
        self.omissions.update({"call without an output": len(calls) - len(kept)} if len(kept) < len(calls) else {})
        if kept:
            turn["tool_calls"] = kept
        if len(turn) > 1:
            yield self._message(turn)
        for call in kept if outputs else ():
            yield self._message(outputs[call["id"]])

    def _message(self, message: dict[str, Any]) -> bytes:
        prefix = b"," if self._has_message else b'{"messages":['
        self._has_message = True
        return prefix + orjson.dumps(message)


def _tool_call(data: dict[str, Any]) -> dict[str, Any]:
    if data["type"] == "function_call":
        function = {"name": data.get("name", ""), "arguments": data.get("arguments", "")}
        return {"id": data["call_id"], "type": "function", "function": function}
    custom = {"name": data.get("name", ""), "input": data.get("input", "")}
    return {"id": data["call_id"], "type": "custom", "custom": custom}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
