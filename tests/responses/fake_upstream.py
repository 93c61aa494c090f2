"""A server that speaks `/v1/responses`. The name of the model in a request chooses how it answers."""

import asyncio
import json
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from tests.live.service import free_port
from tests.waiting import wait_until

GOLDEN = Path(__file__).parents[1] / "golden" / "responses"
HEADERS = [(b"x-request-id", b"req_upstream"), (b"access-control-allow-origin", b"*")]
STREAM_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), *HEADERS]
CHUNK = 61  # bytes, so that chunks end anywhere in events


class FakeUpstream:
    """The requests that came, and the event that ends the wait of the models `stall`, `late` and `drip`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.requests: list[dict[str, Any]] = []
        self.released = threading.Event()
        self.finished = 0  # answers that were sent to their end

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def bodies(self, conversation_marker: str) -> list[dict[str, Any]]:
        """Return the bodies of the requests whose input contains the text."""
        return [each["json"] for each in self.requests if conversation_marker in each["body"]]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = {
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode(),
            "headers": headers,
            "body": body.decode(),
            "json": json.loads(body) if body else None,
        }
        self.requests.append(request)
        await self._answer(request, send)
        self.finished += 1

    async def _answer(self, request: dict[str, Any], send: Any) -> None:
        body = request["json"]
        if request["path"] == "/v1/models":
            await _send_json(send, 200, {"object": "list", "data": [{"id": "echo", "object": "model"}]})
        elif request["path"] != "/v1/responses" or request["method"] != "POST":
            await _send_json(send, 200, {"id": request["path"].rpartition("/")[2], "object": "response"})
        elif body["model"].startswith("status-"):
            status = int(body["model"].removeprefix("status-"))
            error = {"message": "Slow down.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
            await _send_json(send, status, {"error": error}, (b"retry-after", b"7"), (b"x-should-retry", b"false"))
        elif body["model"] == "no-json":
            await _send_json(send, 200, ["no", "object"])
        elif body.get("stream"):
            await self._stream(body, send)
        else:
            await self._send_response(body, send)

    async def _send_response(self, body: dict[str, Any], send: Any) -> None:
        if body["model"] == "silent":
            await self._wait()
        if body["model"] in ("stall", "late"):
            await self._wait()
        if body["model"] == "drip":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await self._drip(send, b" ")
        if body["model"] == "break":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
            await send({"type": "http.response.body", "body": b'{"id": "resp', "more_body": True})
            raise ConnectionAbortedError
        await _send_json(send, 200, response_object(body))

    async def _stream(self, body: dict[str, Any], send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        events = list(stream_events(body))
        for number, event in enumerate(events):
            if body["model"] == "stall" and number == len(events) - 2:
                await self._wait()
            if body["model"] == "drip" and number == len(events) - 1:
                await self._drip(send, b": wait\n\n")
            if body["model"] == "flood" and number == len(events) - 1:
                await self._flood(send)
            if body["model"] == "break" and number == len(events) - 1:
                raise ConnectionAbortedError
            if body["model"] == "cut" and number == len(events) - 1:
                break
            for start in range(0, len(event), CHUNK):
                await send({"type": "http.response.body", "body": event[start : start + CHUNK], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drip(self, send: Any, data: bytes) -> None:
        """Send data again and again, so that the answer neither falls silent nor ends."""
        while not self.released.is_set():
            await send({"type": "http.response.body", "body": data, "more_body": True})
            await asyncio.sleep(0.05)

    async def _flood(self, send: Any) -> None:
        """Send more than all buffers between this server and a client that reads nothing."""
        for _ in range(500):
            await send({"type": "http.response.body", "body": b": %s\n\n" % (b" " * 65536), "more_body": True})

    async def _wait(self) -> None:
        while not self.released.is_set():
            await asyncio.sleep(0.01)


def response_object(body: dict[str, Any]) -> dict[str, Any]:
    """Return the response of a model, which says how many items it got."""
    model = body["model"]
    count = len(body.get("input") or [])
    text = f"I see {count} items. Card 4111111111111111."
    item_id = "msg_1" if model == "counted" else f"msg_{secrets.token_hex(24)}"
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    output: list[dict[str, Any]] = [
        {"id": item_id, "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    ]
    if model == "agent":  # It calls its tools, and answers when it has their outputs.
        model = "echo" if body["input"][-1].get("type") == "function_call_output" else "tools"
    if model == "tools":
        names = ("first", "second")
        output = [
            {
                "id": f"fc_{secrets.token_hex(24)}",
                "type": "function_call",
                "status": "completed",
                "call_id": f"call_{name}_{count}",
                "name": name,
                "arguments": "{}",
            }
            for name in names
        ]
    if model == "structured":  # It calls the tool by which some libraries ask for an object.
        call = {"type": "function_call", "status": "completed", "call_id": f"call_{count}"}
        arguments = json.dumps({"count": count})
        output = [
            {"id": f"fc_{secrets.token_hex(24)}", **call, "name": body["tools"][0]["name"], "arguments": arguments}
        ]
    if model == "new-type":
        output.append({"id": "whatever/1", "type": "hologram_call", "beam": [1, 2]})
    if model == "unstorable":
        output = [{"id": item_id, "type": "message", "role": "assistant", "content": [{"type": "nothing"}]}]
    is_failed = model == "fail"
    return {
        "id": f"resp_{secrets.token_hex(24)}",
        "object": "response",
        "created_at": 1_780_000_000,
        "status": "failed" if is_failed else "incomplete" if model == "incomplete" else "completed",
        "error": {"code": "model_error", "message": "The model failed."} if is_failed else None,
        "incomplete_details": {"reason": "max_output_tokens"} if model == "incomplete" else None,
        "instructions": body.get("instructions"),
        "metadata": body.get("metadata") or {},
        "model": model,
        "output": [] if is_failed else output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 10 * count,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 10 * count + 5,
        },
    }


def stream_events(body: dict[str, Any]) -> Iterator[bytes]:
    """Yield the events of a stream, one by one, as OpenAI's API sends them."""
    model = body["model"]
    if model.startswith("golden-"):
        text = (GOLDEN / f"{model.removeprefix('golden-')}.sse").read_bytes()
        yield from (event + b"\n\n" for event in text.split(b"\n\n") if event)
        return
    response = response_object(body)
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(response["output"]):
        place = {"output_index": index, "item_id": item["id"]}
        begun_members = {"message": {"content": []}, "function_call": {"arguments": ""}}.get(item["type"], {})
        empty = {**item, "status": "in_progress", **begun_members}
        events.append({"type": "response.output_item.added", "output_index": index, "item": empty})
        if item["type"] == "message" and item["content"][0]["type"] == "output_text":
            part = item["content"][0]
            place["content_index"] = 0
            events.append({"type": "response.content_part.added", **place, "part": {**part, "text": ""}})
            for word in re.findall(r"\S+ ?", part["text"]):
                events.append({"type": "response.output_text.delta", **place, "delta": word, "logprobs": []})
            events.append({"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []})
            events.append({"type": "response.content_part.done", **place, "part": part})
        if item["type"] == "function_call":
            arguments = item["arguments"]
            events.append({"type": "response.function_call_arguments.delta", **place, "delta": arguments})
            events.append({"type": "response.function_call_arguments.done", **place, "arguments": arguments})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    if model == "item-by-item":
        response = {**response, "output": []}
    if model == "error-event":
        events.append({"type": "error", "code": "server_error", "message": "It broke.", "param": None})
    else:
        events.append({"type": f"response.{response['status']}", "response": response})
    for number, event in enumerate(events):
        data = json.dumps({**event, "sequence_number": number})
        if model == "odd":
            yield f": comment\r\n\r\nid: {number}\r\nevent: {event['type']}\r\ndata: {data}\r\n\r\n".encode()
        else:
            yield f"event: {event['type']}\ndata: {data}\n\n".encode()
    if model == "odd":
        yield b"data: [DONE]\r\n\r\n"


async def _send_json(send: Any, status: int, value: Any, *headers: tuple[bytes, bytes]) -> None:
    body = json.dumps(value).encode()
    all_headers = [(b"content-type", b"application/json"), *HEADERS, *headers]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@contextmanager
def running_upstream() -> Iterator[FakeUpstream]:
    upstream = FakeUpstream()
    config = uvicorn.Config(upstream, port=upstream.port, lifespan="off", log_config=None, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield upstream
    finally:
        upstream.released.set()
        server.should_exit = True
        thread.join()
