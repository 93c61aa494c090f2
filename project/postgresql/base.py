import select

from django.db.backends.postgresql import base
from psycopg.types.string import TextLoader


class DatabaseWrapper(base.DatabaseWrapper):
    def init_connection_state(self) -> None:
        super().init_connection_state()
        self.connection.adapters.register_loader("json", TextLoader)  # as `jsonb`: fields read it, and faster
        self.connection.prepare_threshold = None  # but for statements that ask for it: the driver would keep the others

    def is_usable(self) -> bool:
        """By a look at the socket, where a server that has hung up has said so: asking it costs a way there and back.

        Whatever else is to be read there, the connection is made anew.
        """
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
