"""A server with the Conversations API of another product, whose answers a test chooses."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

HEX = "6a1b2c3d" + "0" * 40  # the digits of an id of the second 1780165693
CREATED_AT = 0x6A1B2C3D


class RemoteStub:
    """Conversations by their ids, and the answers that replace the regular ones, by path without `/v1`."""

    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self.conversations: dict[str, dict[str, Any]] = {}
        self.items: dict[str, list[Any]] = {}
        self.answers: dict[str, tuple[int, Any]] = {}
        self.has_list = True
        self.ignores_after = self.refuses_include = False
        self.requests: list[str] = []  # paths with queries
        self.keys: set[str] = set()  # API keys of the requests

    def add(self, conversation_id: str, *items: Any, **members: Any) -> None:
        self.conversations[conversation_id] = {
            "id": conversation_id,
            "object": "conversation",
            "created_at": CREATED_AT,
            "metadata": {},
            **members,
        }
        self.items[conversation_id] = list(items)

    def answer(self, target: str) -> tuple[int, Any]:
        self.requests.append(target)
        path, query = urlsplit(target).path.removeprefix("/v1"), parse_qs(urlsplit(target).query)
        if path in self.answers:
            return self.answers[path]
        if self.refuses_include and "include[]" in query:
            return 400, {"error": {"message": "Unknown include."}}
        match path.strip("/").split("/"):
            case ["conversations"] if self.has_list:
                return 200, self._page(list(self.conversations.values()), query)
            case ["conversations", name] if name in self.conversations:
                return 200, self.conversations[name]
            case ["conversations", name, "items"] if name in self.items:
                return 200, self._page(self.items[name], query)
        return 404, {"error": {"message": "Not found."}}

    def _page(self, rows: list[Any], query: dict[str, list[str]]) -> dict[str, Any]:
        [limit], after = query["limit"], query.get("after")
        start = 0
        if after and not self.ignores_after:
            start = next(number for number, row in enumerate(rows) if row.get("id") == after[0]) + 1
        data = rows[start : start + int(limit)]
        return {"object": "list", "data": data, "has_more": start + int(limit) < len(rows)}


@contextmanager
def running_stub() -> Iterator[RemoteStub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # Headers and body in one packet: otherwise the client acknowledges the headers 40 ms later.

        def do_GET(self) -> None:
            stub.keys.add(self.headers["Authorization"].removeprefix("Bearer "))
            status, body = stub.answer(self.path)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Retry-After", "600")  # The client gives up at once.
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stub = RemoteStub(server.server_port)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
