import select
import time
from types import SimpleNamespace
from typing import Any

import psycopg
from django.db.backends.postgresql import base


class Connection(psycopg.Connection[Any]):
    """Connection that is closed if a statement has no result after `answer_seconds`.

    PostgreSQL's own time-outs are of no use while the server stalls, or after a firewall has forgotten the connection.
    """

    answer_seconds: float | None = None

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        return super().wait(gen if self.answer_seconds is None else self._limit(gen), *args, **kwargs)

    def _limit(self, generator: Any) -> Any:
        """Run a generator that psycopg resumes when the socket is ready, and with a false value every 0.1 seconds."""
        deadline = time.monotonic() + (self.answer_seconds or 0)
        ready = None
        while True:
            try:
                awaited = generator.send(ready)
            except StopIteration as stop:
                return stop.value
            ready = yield awaited
            if not ready and time.monotonic() > deadline:
                self.pgconn.finish()
                raise psycopg.OperationalError(f"the server has not answered for {self.answer_seconds} seconds")


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's PostgreSQL backend, with less work per row and per request, and a deadline for answers.

    The option `answer_seconds` is the deadline of each statement.
    """

    Database = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})  # type: ignore[assignment]

    def get_connection_params(self) -> dict[str, Any]:
        parameters = super().get_connection_params()
        self._answer_seconds = parameters.pop("answer_seconds", None)
        return parameters

    def init_connection_state(self) -> None:
        self.connection.answer_seconds = self._answer_seconds
        super().init_connection_state()
        # Prepare only statements that ask for it; psycopg would count and keep all others too.
        self.connection.prepare_threshold = None

    def is_usable(self) -> bool:
        """Whether the connection is open, judged by its socket: `SELECT 1` would cost a round trip per request.

        A server that hangs up makes the socket readable. Any other unread input is unexpected as well, so that the
        connection is replaced in either case.
        """
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
