"""The two endpoints that tests use: Django in this process, and a running service."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from asgiref.sync import async_to_sync
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from openai import AsyncOpenAI, OpenAI

from tests.sdk.blocking import Run


@dataclass(frozen=True)
class InProcess:
    """Django's own handlers: the service's applications would set its time limits for all tests of this process."""

    secret: str
    bobs_secret: str
    base_url: str = "http://testserver/v1"

    def sync_client(self) -> OpenAI:
        http_client = httpx2.Client(transport=httpx2.WSGITransport(get_wsgi_application()))
        return OpenAI(base_url=self.base_url, api_key=self.secret, http_client=http_client, max_retries=0)

    def async_client(self) -> AsyncOpenAI:
        # The application itself would run the view in another thread, outside of the test's transaction.
        http_client = httpx2.AsyncClient(transport=httpx2.ASGITransport(get_asgi_application().handle))
        return AsyncOpenAI(base_url=self.base_url, api_key=self.secret, http_client=http_client, max_retries=0)

    @contextmanager
    def running(self) -> Iterator[Run]:
        # At the end of a request, Django would close the connection, because it is in the test's transaction.
        for signal in (request_started, request_finished):
            signal.disconnect(close_old_connections)
        try:
            yield async_to_sync(_result)
        finally:
            for signal in (request_started, request_finished):
                signal.connect(close_old_connections)


@dataclass(frozen=True)
class Live:
    secret: str
    bobs_secret: str
    base_url: str

    def sync_client(self) -> OpenAI:
        return OpenAI(base_url=self.base_url, api_key=self.secret, max_retries=0)

    def async_client(self) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=self.base_url, api_key=self.secret, max_retries=0)

    @contextmanager
    def running(self) -> Iterator[Run]:
        with asyncio.Runner() as runner:
            yield lambda awaitable: runner.run(_result(awaitable))


async def _result(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
