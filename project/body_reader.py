"""Read the bodies of requests before they take one of the few threads that run Django.

Granian gives a thread to each request as soon as its headers have come, and a thread that reads a body waits for as
long as the client takes to send it. The service therefore has two kinds of threads:

- Up to `MAX_READERS` of Granian's, and a few more, each of which reads the body of one request. While they wait they
  run no Python code, and they never have a database connection, so that hundreds of slow clients cost little.
- As many as `serve --threads` says, which run Django for requests whose bodies are complete.

A body must not be read before Django has found the URL and authenticated the request. A request of a kind that is new
to the process therefore goes to Django with an `UnreadBody`. If Django reads it, the request goes back to its reader,
and once more to Django when the body is complete. For a minute, bodies of the same kind of request are then read at
once.
"""

import logging
import re
import time
from collections.abc import Callable
from io import BytesIO
from queue import SimpleQueue
from threading import Lock, Thread, get_ident
from typing import Any, NamedTuple, NoReturn

from django.db import connections

from conversations.api import errors
from conversations.api.bodies import BodyError
from conversations.conf import app_settings
from conversations.errors import APIError
from project import health
from project.errors import last_resort
from project.memory import LARGE_BYTES, ByteBudget

CHUNK_BYTES = 64 * 1024
DISCARD_SECONDS = 1
HOUSEKEEPING_SECONDS = 0.2
MAX_READERS = 1_000
MAX_KINDS = 10_000
REMEMBER_KINDS_SECONDS = 60

CONVERSATION_ID = re.compile("/conv_[^/]*")

Scope = dict[str, Any]

logger = logging.getLogger("project.server")


class BodyWanted(BaseException):
    """Raised when Django reads an `UnreadBody`. It is no `Exception`, so that no code handles it as an error."""


class UnreadBody:
    def read(self, size: int = -1) -> NoReturn:
        raise BodyWanted

    readline = read


class FailedBody:
    def __init__(self, error: APIError) -> None:
        self._error = error

    def read(self, size: int = -1) -> NoReturn:
        raise BodyError(self._error)

    readline = read

    def close(self) -> None:
        """Do nothing; the counterpart of `BytesIO.close`."""


def announce_close(application: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a WSGI application so that a response to a request whose body was not read says `Connection: close`.

    Granian closes the connection after such a response. A client that does not know sends its next request in vain.
    """

    def respond(environ: Scope, start_response: Callable[..., Any]) -> Any:
        if not isinstance(environ["wsgi.input"], UnreadBody | FailedBody):
            return application(environ, start_response)

        def start_last_response(status: str, headers: list[tuple[str, str]], *arguments: Any) -> Any:
            return start_response(status, [*headers, ("Connection", "close")], *arguments)

        return application(environ, start_last_response)

    return respond


class Reading:
    """A body that a thread is reading, and the error that answers its request if the body is not complete in time."""

    def __init__(self, proto: Any, scope: Scope, *, seconds: float, error: APIError) -> None:
        self.proto = proto
        self.scope = scope
        self.deadline = time.monotonic() + seconds
        self.error = error
        self._lock = Lock()

    def claim(self) -> bool:
        """Whether the caller is the first to claim the request, and so the one who has it answered."""
        return self._lock.acquire(blocking=False)


class PoolUse(NamedTuple):
    """The threads that run Django, the complete requests that wait for one, and the bodies that are being read."""

    threads: int
    busy: int
    waiting: int
    bodies: int


class BodyReader:
    """The callable that Granian's threads call with each request.

    `respond` runs Django for a request and sends the response. `show_pool_use` is called a few times per second.
    """

    def __init__(
        self,
        respond: Callable[[Any, Scope], Any],
        *,
        threads: int,
        show_pool_use: Callable[[PoolUse], None] | None = None,
    ) -> None:
        self._threads = threads
        self._show_pool_use = show_pool_use
        self._busy: set[int] = set()  # threads
        self._respond = respond
        self._queue: SimpleQueue[tuple[Any, Scope, int, SimpleQueue[bool] | None]] = SimpleQueue()
        self._budget = ByteBudget()
        self._readings: dict[int, Reading] = {}  # by thread
        self._kinds: set[str] = set()
        for number in range(threads):
            Thread(target=self._run_django, name=f"django-{number}", daemon=True).start()
        Thread(target=self._keep_house, name="housekeeping", daemon=True).start()

    def __call__(self, proto: Any, scope: Scope) -> None:
        if "HTTP_TRANSFER_ENCODING" in scope:
            # Granian returns a chunked body that was cut as if it were complete, so the API has to refuse them all.
            scope["CONTENT_LENGTH"] = ""
            scope["wsgi.input_terminated"] = False
        length = int(scope.get("CONTENT_LENGTH") or 0)
        if not length and scope.get("PATH_INFO") == health.LIVE_URL:
            # The threads that run Django may all be waiting for the database, and a restart would not help them.
            proto.response_bytes(200, [("content-type", "application/json")], health.LIVE_BODY)
            return
        if not length:
            self._queue.put((proto, scope, 0, None))
            return
        stream = scope["wsgi.input"]
        kind = _kind(scope)
        maximum = app_settings.max_body_bytes
        if kind not in self._kinds or length > maximum:
            scope["wsgi.input"] = UnreadBody()
            is_wanted: SimpleQueue[bool] = SimpleQueue()
            self._queue.put((proto, scope, 0, is_wanted))
            if not is_wanted.get():
                return
            if len(self._kinds) < MAX_KINDS:
                self._kinds.add(kind)
        if length > maximum:
            self._refuse(proto, scope, stream, errors.body_too_large(maximum=maximum))
        elif len(self._readings) >= MAX_READERS:
            self._fail(proto, scope, errors.unavailable())
        else:
            self._read(proto, scope, stream, length)

    def _read(self, proto: Any, scope: Scope, stream: Any, length: int) -> None:
        """Read a body and have its request answered."""
        reading = self._start_reading(proto, scope, app_settings.body_seconds, errors.body_too_slow())
        body = BytesIO()
        reserved = 0
        is_cut = False
        while reserved < length and not is_cut:
            size = min(CHUNK_BYTES, length - reserved)
            if not self._budget.reserve(size):
                break
            reserved += size
            is_cut = body.write(stream.read(size)) < size
        del self._readings[get_ident()]
        if not reading.claim():
            self._budget.release(reserved)
        elif is_cut:
            self._budget.release(reserved)
            self._fail(proto, scope, errors.body_incomplete())
        elif reserved < length:
            del body
            self._budget.release(reserved)
            self._refuse(proto, scope, stream, errors.unavailable())
        else:
            body.seek(0)
            scope["wsgi.input"] = body
            self._queue.put((proto, scope, reserved, None))

    def _refuse(self, proto: Any, scope: Scope, stream: Any, error: APIError) -> None:
        """Discard a body, for at most a second, and have its request answered with an error.

        Granian closes the connection if it responds while the client is still sending. Some clients, such as the
        asynchronous OpenAI client, then report a connection error instead of the response.
        """
        reading = self._start_reading(proto, scope, DISCARD_SECONDS, error)
        while time.monotonic() < reading.deadline and stream.read(CHUNK_BYTES):
            pass
        del self._readings[get_ident()]
        if reading.claim():
            self._fail(proto, scope, error)

    def _start_reading(self, proto: Any, scope: Scope, seconds: float, error: APIError) -> Reading:
        reading = self._readings[get_ident()] = Reading(proto, scope, seconds=seconds, error=error)
        return reading

    def _fail(self, proto: Any, scope: Scope, error: APIError) -> None:
        """Have a request answered with an error as soon as Django reads its body."""
        self._queue.put((proto, scope | {"wsgi.input": FailedBody(error)}, 0, None))

    def _keep_house(self) -> None:
        forget_kinds_at = 0.0
        while True:
            time.sleep(HOUSEKEEPING_SECONDS)
            now = time.monotonic()
            self._answer_late_requests(now)
            self._budget.return_memory()
            if self._show_pool_use:
                use = PoolUse(self._threads, len(self._busy), self._queue.qsize(), len(self._readings))
                self._show_pool_use(use)
            if forget_kinds_at < now:
                self._kinds.clear()
                forget_kinds_at = now + REMEMBER_KINDS_SECONDS

    def _answer_late_requests(self, now: float) -> None:
        """Have the requests answered whose bodies are late. Their threads can't be interrupted, and read on."""
        for reading in list(self._readings.values()):
            if reading.deadline < now and reading.claim():
                self._fail(reading.proto, reading.scope, reading.error)

    def _run_django(self) -> None:
        """Answer one request after the other."""
        while True:
            proto, scope, reserved, is_wanted = self._queue.get()
            is_body_wanted = False
            self._busy.add(get_ident())
            try:
                self._respond(proto, scope)
            except BodyWanted:
                is_body_wanted = True
            except BaseException as error:
                logger.exception("The application raised an exception.")
                proto.response_bytes(*last_resort(error))
            self._busy.discard(get_ident())
            if is_wanted:
                is_wanted.put(is_body_wanted)
            if reserved:
                scope["wsgi.input"].close()  # DRF's requests are reference cycles, and would keep the body for a while.
                if reserved >= LARGE_BYTES:
                    connections.close_all()  # libpq and SQLite keep the memory of the largest statement until then.
                self._budget.release(reserved)
            del proto, scope, is_wanted  # They would stay in memory until the next request.


def _kind(scope: Scope) -> str:
    """Return the credentials, method and URL of a request, without the ids in the URL."""
    credentials = scope.get("HTTP_AUTHORIZATION") or scope.get("HTTP_API_KEY")
    return f"{credentials} {scope['REQUEST_METHOD']} {CONVERSATION_ID.sub('', scope['PATH_INFO'])}"
