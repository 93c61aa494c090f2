"""The ASGI application for model calls: `/v1/responses` and `/v1/models`. All other requests go to your project's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from io import BytesIO
from typing import Any

import httpx2
import orjson
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections

from conversations.api.repetitions import REPLAYED_HEADER
from conversations.responses.client import Answer, ClientGone, Receive, Send, read_body
from conversations.responses.conf import upstream_settings
from conversations.responses.events import replay_events
from conversations.responses.parameters import has_conversation
from conversations.responses.run import TurnRun
from conversations.responses.turns import TurnInProgress
from conversations.responses.upstream import answer_headers, new_client, request_headers, to_api_error, upstream_url
from conversations.responses.views import ResponseView, StoredAnswer

THREADS = 8  # for the database
POLL_SECONDS = 0.5  # between two looks whether an equal request was answered
STOP_SECONDS = 5  # for turns whose clients are gone
PATHS = re.compile(r"/responses(/[A-Za-z0-9_-]+)*|/models(/(?!\.)[A-Za-z0-9_.:@-]+)*", re.ASCII)

Application = Callable[[Any, Receive, Send], Awaitable[None]]


class ResponsesApplication:
    """Calls models for requests below `prefix`. `application` answers everything else."""

    def __init__(self, application: Application, *, prefix: str = "/v1") -> None:
        self._application = application
        self._prefix = prefix
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="responses")
        self._turns: set[asyncio.Task[None]] = set()

    @cached_property
    def _client(self) -> httpx2.AsyncClient:
        return new_client()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and self.own_path(scope):
            await self._respond(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    def own_path(self, scope: Any) -> str:
        """Return the path below the prefix if it is one of a model's, or an empty string.

        Your project's application answers a browser that asks whether another site's page may call models.
        """
        if scope["method"] == "OPTIONS" and any(
            name == b"access-control-request-method" for name, _ in scope["headers"]
        ):
            return ""
        path = str(scope["path"])
        own = path.removeprefix(self._prefix) if path.startswith(f"{self._prefix}/") else ""
        is_own = PATHS.fullmatch(own) and (scope["method"] == "GET" or not own.startswith("/models"))
        return own if is_own else ""

    async def _respond(self, scope: Any, receive: Receive, send: Send) -> None:
        view, answer, request = ResponseView(), Answer(send), ASGIRequest(scope, BytesIO())
        try:
            try:
                await self._run_sync(view.authenticate, request)
            finally:
                scope["auth"] = getattr(request, "auth", None)  # for middleware
            body = await read_body(scope, receive)
            is_turn = (scope["method"], self.own_path(scope)) == ("POST", "/responses") and has_conversation(body)
            if is_turn:
                await self._take_turn(scope, receive, answer, view, body)
            else:
                await _until_disconnect(self._pass_through(scope, answer, body), receive)
        except ClientGone:
            return
        except Exception as error:  # The view logs unexpected ones, and answers with status 500 or 503.
            if answer.is_started:
                raise
            known = to_api_error(error) if isinstance(error, httpx2.HTTPError | TimeoutError) else error
            await answer.send_response(await self._run_sync(view.error_response, known))

    async def _take_turn(self, scope: Any, receive: Receive, answer: Answer, view: ResponseView, body: bytes) -> None:
        started = await self._begin(view, body, receive)
        if isinstance(started, StoredAnswer):
            await _replay(started, answer)
            return
        run = TurnRun(view, started, answer, client=self._client, run_sync=self._run_sync)
        turn = asyncio.create_task(run.run(scope["headers"]))
        self._turns.add(turn)
        turn.add_done_callback(self._turns.discard)
        await asyncio.shield(turn)  # Some servers cancel this coroutine when the client goes away.

    async def _begin(self, view: ResponseView, body: bytes, receive: Receive) -> Any:
        """Begin the turn, or wait for an equal request that is being executed."""
        gone = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            while True:
                try:
                    return await self._run_sync(view.begin, body)
                except TurnInProgress:
                    if (await asyncio.wait({gone}, timeout=POLL_SECONDS))[0]:
                        raise ClientGone from None
        finally:
            gone.cancel()

    async def _pass_through(self, scope: Any, answer: Answer, body: bytes) -> None:
        url = upstream_url(self.own_path(scope), scope["query_string"])
        headers = request_headers(scope["headers"], is_turn=False)
        async with asyncio.timeout(upstream_settings.upstream_seconds):
            async with self._client.stream(scope["method"], url, content=body or None, headers=headers) as upstream:
                await answer.start(upstream.status_code, answer_headers(upstream.headers.raw))
                async for chunk in upstream.aiter_raw():
                    await answer.send(chunk)
                await answer.end()

    async def _run_sync(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call the function in one of the threads that have a connection to the database."""
        call = partial(_with_connection, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Stop, when the server does, after the turns whose clients are gone are stored."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._turns:
            _, late = await asyncio.wait(self._turns, timeout=STOP_SECONDS)
            for turn in late:
                turn.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._client.aclose()
        await send({"type": "lifespan.shutdown.complete"})


def _with_connection(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    close_old_connections()
    try:
        return function(*args, **kwargs)
    finally:
        close_old_connections()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_disconnect(work: Any, receive: Receive) -> None:
    """Do the work, and cancel it when the client goes away."""
    tasks = [asyncio.create_task(work), asyncio.create_task(_wait_for_disconnect(receive))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise ClientGone
        await tasks[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _replay(stored: StoredAnswer, answer: Answer) -> None:
    headers = [(REPLAYED_HEADER.lower().encode(), b"true")]
    if not stored.is_stream:
        body = orjson.dumps(stored.response)
        await answer.send_whole(200, [*headers, (b"content-type", b"application/json")], body)
        return
    await answer.start(200, [*headers, (b"content-type", b"text/event-stream; charset=utf-8")])
    for event in replay_events(stored.response):
        await answer.send(event)
    await answer.end()
