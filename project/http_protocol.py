"""The HTTP protocol of the process that calls models: uvicorn's, which waits for headers without end."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_SECONDS = 30


class PunctualProtocol(H11Protocol):
    """A connection that closes unless the headers of a request are complete in time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _watch_headers(self) -> None:
        """Set the deadline while a request is awaited, or what is left of one that was refused."""
        is_waiting = self.cycle is None or self.cycle.response_complete
        if is_waiting and not self._deadline:
            self._deadline = self.loop.call_later(HEADERS_SECONDS, self.transport.close)
        elif not is_waiting and self._deadline:
            self._deadline.cancel()
            self._deadline = None
