"""The answer to a client that may go away at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SEND_SECONDS = 60  # that a client may take to accept data


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

    async def _send(self, message: Message) -> None:
        if self.is_gone:
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send_message(message)
        except OSError:  # TimeoutError is one too.
            self.is_gone = True
