"""Read conversations from another server that has the Conversations API.

Requests are sent by OpenAI's client, an optional package. It repeats a request after a lost connection, a time-out, a
429 and a 5xx: after the seconds of `Retry-After`, up to two minutes, or else after a growing pause.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    OpenAI,
    OpenAIError,
    RateLimitError,
)

from conversations.conf import MAX_PAGE_SIZE
from conversations.schema.include import INCLUDABLE

MAX_RETRIES = 6  # The pauses add up to about 20 seconds.
MAX_MESSAGE = 300  # characters of a server's error message
NO_SUCH_ENDPOINT = (404, 405, 501)


class RemoteError(Exception):
    """A conversation that can't be read. Others may be readable."""


class RemoteOutage(RemoteError):
    """A server that can't be reached, or that fails, after all retries."""


class RemoteRefusal(RemoteError):
    """A server that accepts no further request: the key is wrong, or the rate limit is exhausted after all retries."""


class NoListError(RemoteError):
    """A server without a list of conversations, such as OpenAI's."""


class RemoteServer:
    """The conversations of one API key on another server.

    Without `base_url` and `api_key`, the client takes `OPENAI_BASE_URL`, or OpenAI's own URL, and `OPENAI_API_KEY`.
    Raise `RemoteError` if there is no key.
    """

    def __init__(self, *, base_url: str | None = None, api_key: str | None = None) -> None:
        try:
            self._client = OpenAI(base_url=base_url, api_key=api_key, max_retries=MAX_RETRIES)
        except OpenAIError as error:
            raise RemoteError("There is no API key.") from error
        self._include = list(INCLUDABLE)

    @property
    def base_url(self) -> str:
        return str(self._client.base_url)

    @property
    def is_include_refused(self) -> bool:
        """Whether the server refused the parameter `include`, so that items may lack the members that it reveals."""
        return not self._include

    def close(self) -> None:
        self._client.close()

    def conversation_ids(self) -> Iterator[str]:
        """Yield the ids of all conversations, oldest first, or raise `NoListError`."""
        pages = self._pages("/conversations")
        try:
            first = next(pages)
        except RemoteError as error:
            if isinstance(error.__cause__, APIStatusError) and error.__cause__.status_code in NO_SUCH_ENDPOINT:
                raise NoListError(f"{self.base_url} has no list of conversations ({error}).") from error
            raise
        for page in chain([first], pages):
            yield from map(_id_of, page)

    def conversation(self, conversation_id: str) -> dict[str, Any]:
        return self._get(f"/conversations/{conversation_id}")

    def items(self, conversation_id: str) -> Iterator[Any]:
        """Yield the items in order, with all members that the server is willing to include."""
        path = f"/conversations/{conversation_id}/items"
        pages = self._pages(path, **({"include": self._include} if self._include else {}))
        try:
            first = next(pages)
        except RemoteError as error:
            if not (self._include and isinstance(error.__cause__, BadRequestError)):
                raise
            pages = self._pages(path)
            first = next(pages)
            self._include = []
        for page in chain([first], pages):
            yield from page

    def _pages(self, path: str, **parameters: Any) -> Iterator[list[Any]]:
        after = None
        while True:
            page = self._get(
                path, limit=MAX_PAGE_SIZE, order="asc", **({"after": after} if after else {}), **parameters
            )
            data = page.get("data")
            if not isinstance(data, list):
                raise RemoteError(f"{path}: the response is not a list")
            yield data
            if not page.get("has_more", len(data) >= MAX_PAGE_SIZE):
                return
            if not data:
                raise RemoteError(f"{path}: an empty page is not the last one")
            last_id = page.get("last_id") or _id_of(data[-1])
            if last_id == parameters.get("after"):
                raise RemoteError(f"{path}: the server ignores the parameter 'after', so only one page can be read")
            parameters["after"] = last_id

    def _get(self, path: str, **parameters: Any) -> dict[str, Any]:
        try:
            value = self._client.get(path, cast_to=object, options={"params": parameters})
        except (AuthenticationError, RateLimitError) as error:
            raise RemoteRefusal(_describe(error)) from error
        except (APIConnectionError, InternalServerError) as error:
            raise RemoteOutage(_describe(error)) from error
        except APIError as error:
            raise RemoteError(_describe(error)) from error
        except (RecursionError, ValueError) as error:
            raise RemoteError(f"{path}: the response is not JSON") from error
        if not isinstance(value, dict):
            raise RemoteError(f"{path}: the response is not a JSON object")
        return value


def _id_of(value: Any) -> str:
    value_id = value.get("id") if isinstance(value, dict) else None
    if not isinstance(value_id, str):
        raise RemoteError("the server's list has an entry without an id")
    return value_id


def _describe(error: APIError) -> str:
    """Return the message of an error on one line, with the cause of a lost connection."""
    message = f"{error.message} {error.__cause__ or ''}"
    if isinstance(error, RateLimitError) and (seconds := error.response.headers.get("retry-after")):
        message += f" (Retry-After: {seconds})"
    message = " ".join(message.split())
    return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"
