"""A proxy between a client and a service that cuts connections, limits the rate and fails."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from threading import Event, Lock, Thread
from typing import Any

from tests.waiting import SECONDS

FAULTS = ("none", "refuse", "none", "none", "limit", "none", "cut", "none", "none", "fail")


class FaultyProxy:
    """The faults of the proxy: each request meets the next of `FAULTS`, and waits after the first `pause_after`."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.counts = dict.fromkeys(FAULTS, 0)
        self.port = 0
        self.pause_after: int | None = None
        self.is_paused = False
        self._faults = cycle(FAULTS)
        self._lock = Lock()
        self._resumed = Event()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def next_fault(self) -> str:
        with self._lock:
            fault = next(self._faults)
            self.counts[fault] += 1
            self.is_paused = self.pause_after is not None and sum(self.counts.values()) > self.pause_after
        if self.is_paused:
            self._resumed.wait()
        return fault

    def resume(self) -> None:
        self.pause_after, self.is_paused = None, False
        self._resumed.set()


@contextmanager
def running_proxy(target_port: int) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(target_port)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet for headers and body, which the client need not acknowledge twice

        def do_GET(self) -> None:
            match proxy.next_fault():
                case "refuse":
                    self.close_connection = True  # without a response
                case "limit":
                    self._respond(429, b'{"error": {"message": "Slow down."}}', retry_after="0.01")
                case "fail":
                    self._respond(500, b"<html>", retry_after="0.01")
                case fault:
                    status, body = self._forward()
                    self._respond(status, body, is_cut=fault == "cut")

        def _forward(self) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", proxy.target_port, timeout=SECONDS)
            try:
                connection.request("GET", self.path, headers={"Authorization": self.headers["Authorization"]})
                response = connection.getresponse()
                return response.status, response.read()
            finally:
                connection.close()

        def _respond(self, status: int, body: bytes, *, retry_after: str = "", is_cut: bool = False) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if retry_after:
                self.send_header("Retry-After", retry_after)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if is_cut else body)
            self.close_connection = self.close_connection or is_cut

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy.port = server.server_port
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.resume()
            server.shutdown()
            thread.join()
