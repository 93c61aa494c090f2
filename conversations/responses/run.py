"""The asynchronous part of a turn: it reads the upstream to the end, whether the client waits for it or not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import orjson
from django.db import DatabaseError, InterfaceError
from rest_framework.response import Response

from conversations.db.errors import is_temporary
from conversations.errors import APIError
from conversations.responses.client import Answer
from conversations.responses.conf import upstream_settings
from conversations.responses.errors import failed_response, upstream_broken
from conversations.responses.events import (
    FAILED_EVENTS,
    FINAL_EVENTS,
    Event,
    EventSplitter,
    OutputCollector,
    write_event,
    write_response_event,
)
from conversations.responses.turns import fail_turn, finish_turn, renew_lease
from conversations.responses.upstream import Headers, answer_headers, request_headers, to_api_error, upstream_url
from conversations.responses.views import ResponseView, StartedTurn

RENEW_SECONDS = 15
STORE_SECONDS = 30  # that the database may be away when a turn is to be stored, within the life of the lease
TRAILER_SECONDS = 5  # between the final event and the end of the stream

RunSync = Callable[..., Awaitable[Any]]

logger = logging.getLogger("conversations.responses")


class TurnRun:
    """One call of the upstream for a turn. `run_sync` calls a function in a thread that may use the database."""

    def __init__(
        self, view: ResponseView, turn: StartedTurn, answer: Answer, *, client: httpx2.AsyncClient, run_sync: RunSync
    ) -> None:
        self._view = view
        self._turn = turn
        self._answer = answer
        self._client = client
        self._run_sync = run_sync
        self._collector = OutputCollector()
        self._is_settled = False  # The turn is stored, or its failure is.

    async def run(self, headers: Headers) -> None:
        renewal = asyncio.create_task(self._renew())
        try:
            await self._call(request_headers(headers, is_turn=True))
        except asyncio.CancelledError:
            await self._settle_failure("server_stopped")
            raise
        except (APIError, httpx2.HTTPError, TimeoutError) as error:
            if not self._is_settled:
                await self._fail(error if isinstance(error, APIError) else to_api_error(error))
        except Exception as error:  # The view logs it, and answers with status 500 or 503.
            await self._fail(error)
        finally:
            renewal.cancel()
            await self._answer.end()

    async def _call(self, headers: list[tuple[bytes, bytes]]) -> None:
        url = upstream_url("/responses", b"")
        async with asyncio.timeout(upstream_settings.upstream_seconds) as deadline:
            async with self._client.stream("POST", url, content=self._turn.content, headers=headers) as answer:
                if answer.status_code != 200:
                    body = await self._read(answer)
                    await self._settle_failure(f"upstream_{answer.status_code}")
                    await self._answer.send_whole(answer.status_code, answer_headers(answer.headers.raw), body)
                elif answer.headers.get("content-type", "").startswith("text/event-stream"):
                    await self._relay_events(answer, deadline)
                else:
                    body = await self._read(answer)
                    deadline.reschedule(None)
                    await self._relay_object(answer, body)

    async def _read(self, answer: httpx2.Response) -> bytes:
        body = bytearray()
        async for chunk in answer.aiter_raw():
            body += chunk
            _check_size(len(body))
        return bytes(body)

    async def _relay_object(self, answer: httpx2.Response, body: bytes) -> None:
        """Store the turn, and then send the response object."""
        try:
            response = orjson.loads(body)
        except orjson.JSONDecodeError:
            response = None
        if not isinstance(response, dict):
            raise upstream_broken("no response object")
        response.setdefault("status", "completed")
        response["conversation"] = {"id": self._turn.parameters.conversation_id}
        match response["status"]:
            case "completed" | "incomplete":
                await self._finish(response)
            case "failed" | "cancelled":
                await self._settle_failure(_error_code(response))
            case _:
                raise upstream_broken("a response that is not finished")
        headers = answer_headers(answer.headers.raw)
        await self._answer.send_whole(200, headers, orjson.dumps(response))

    async def _relay_events(self, answer: httpx2.Response, deadline: asyncio.Timeout) -> None:
        """Send each event when it is complete, except that the final one waits until the turn is stored."""
        await self._answer.start(200, answer_headers(answer.headers.raw))
        splitter, size = EventSplitter(), 0
        async for chunk in answer.aiter_raw():
            size += len(chunk)
            _check_size(size)
            ready = b""
            for event in splitter.feed(chunk):
                self._collector.add(event)
                if event.type in FINAL_EVENTS and not self._is_settled:
                    await self._answer.send(ready)
                    deadline.reschedule(None)
                    await self._finish(self._collector.final_response())
                    ready = b""
                elif event.type in FAILED_EVENTS and not self._is_settled:
                    await self._settle_failure(_error_code(event.data or {}))
                ready += self._write(event)
                if self._is_settled:
                    deadline.reschedule(asyncio.get_running_loop().time() + TRAILER_SECONDS)
            await self._answer.send(ready)
        if not self._is_settled:
            raise upstream_broken("an incomplete answer")

    def _write(self, event: Event) -> bytes:
        return write_response_event(event, conversation_id=self._turn.parameters.conversation_id)

    async def _finish(self, response: dict[str, Any]) -> None:
        """Store the turn, if need be again and again until the database answers. Raise an exception if it can't be."""
        if response.get("status") not in ("completed", "incomplete"):
            raise upstream_broken("a response that is not finished")
        deadline = time.monotonic() + STORE_SECONDS
        while self._turn.pending:
            try:
                await self._run_sync(finish_turn, self._turn.pending, response)
                break
            except (DatabaseError, InterfaceError, OSError) as error:
                if not is_temporary(error) or time.monotonic() > deadline:
                    raise
                logger.warning("A turn of %s can't be stored yet: %s", self._turn.pending.conversation.pk, error)
            await asyncio.sleep(1)
        self._is_settled = True

    async def _settle_failure(self, code: str) -> None:
        self._is_settled = True
        if self._turn.pending:
            try:
                await self._run_sync(fail_turn, self._turn.pending, code=code)
            except (DatabaseError, InterfaceError):  # The lease expires by itself.
                logger.exception("The failure of a turn can't be stored.")

    async def _fail(self, error: Exception) -> None:
        """Answer with the error, by an event if the stream has begun."""
        response: Response = await self._run_sync(self._view.error_response, error)
        envelope = response.data["error"]
        await self._settle_failure(envelope["code"] or envelope["type"])
        if not self._answer.is_started:
            await self._answer.send_response(response)
            return
        failure = APIError(envelope["message"], code=envelope["code"] or envelope["type"])
        event = {
            "type": "response.failed",
            "sequence_number": self._collector.sequence_number + 1,
            "response": {
                **failed_response(failure, self._collector.response),
                "conversation": {"id": self._turn.parameters.conversation_id},
            },
        }
        await self._answer.send(write_event(event))

    async def _renew(self) -> None:
        while self._turn.pending:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                if not await self._run_sync(renew_lease, self._turn.pending):
                    return  # Storing the turn finds out why.
            except (DatabaseError, InterfaceError) as error:
                logger.warning("A lease can't be renewed: %s", error)


def _check_size(size: int) -> None:
    if size > upstream_settings.upstream_max_bytes:
        raise upstream_broken(f"more than {upstream_settings.upstream_max_bytes} bytes")


def _error_code(data: dict[str, Any]) -> str:
    """Return the code of a failed response, of an event with one, or of an event of the type `error`."""
    response = data.get("response") if isinstance(data.get("response"), dict) else data
    error = (response or {}).get("error") or data
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and code else "server_error"
