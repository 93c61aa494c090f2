import select

from django.db.backends.postgresql import base
from psycopg.types.string import TextLoader


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's PostgreSQL backend, with less work per row and per request."""

    def init_connection_state(self) -> None:
        super().init_connection_state()
        # Load `json` columns as text, as Django does with `jsonb`: the model fields parse it.
        self.connection.adapters.register_loader("json", TextLoader)
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
