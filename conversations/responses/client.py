"""The client of a request: its body, within limits, and an answer to it, although it may go away at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from django.http import HttpResponse

from conversations.api import errors
from conversations.conf import app_settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SEND_SECONDS = 60  # that a client may take to accept data


class ClientGone(Exception):
    """Raised when the client closes the connection before its request is complete."""


def limit_body(scope: Any, receive: Receive) -> Receive:
    """Return a `receive` that raises an `APIError` for a body that is too large or does not come in time."""
    maximum = app_settings.max_body_bytes
    lengths = [int(value) for name, value in scope["headers"] if name == b"content-length" and value.isdigit()]
    is_too_large = any(length > maximum for length in lengths)
    deadline = asyncio.get_running_loop().time() + app_settings.body_seconds
    size, is_complete = 0, False

    async def receive_within_limits() -> Message:
        nonlocal size, is_complete
        if is_complete:
            return await receive()
        if is_too_large:
            raise errors.body_too_large(maximum=maximum)
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise errors.body_too_slow() from None
        size += len(message.get("body", b""))
        if size > maximum:
            raise errors.body_too_large(maximum=maximum)
        is_complete = not message.get("more_body")
        return message

    return receive_within_limits


async def read_body(scope: Any, receive: Receive) -> bytes:
    receive = limit_body(scope, receive)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def encode_headers(response: HttpResponse) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in response.items()]


class Answer:
    """An answer that is sent in parts. Once the client is gone, sending does nothing."""

    def __init__(self, send: Send) -> None:
        self._send_message = send
        self.is_started = self.is_ended = self.is_gone = False

    async def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.is_started = True
        await self._send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def send(self, body: bytes) -> None:
        if body:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self) -> None:
        if not self.is_ended:
            self.is_ended = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send_whole(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        await self.start(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self.send(body)
        await self.end()

    async def send_response(self, response: HttpResponse) -> None:
        await self.send_whole(response.status_code, encode_headers(response), response.content)

    async def _send(self, message: Message) -> None:
        if self.is_gone:
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send_message(message)
        except OSError:  # TimeoutError is one too.
            self.is_gone = True
