"""A TCP proxy before the database, which can lose its connections as a firewall or a vanished machine does."""

import socket
import threading
from contextlib import suppress

from django.db import connection


def database_socket() -> str:
    """Return the path of the database's Unix socket."""
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute("SELECT @@socket")
            return cursor.fetchone()[0]
        cursor.execute("SELECT current_setting('unix_socket_directories'), current_setting('port')")
        directories, port = cursor.fetchone()
        return f"{directories.split(',')[0]}/.s.PGSQL.{port}"


class SilentProxy:
    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lost: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        self._is_silent = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    def lose_connections(self) -> None:
        """Answer nothing any more, neither on open connections nor on new ones, and close none."""
        self._is_silent = True
        self._lost |= self._open

    def serve_new_connections(self) -> None:
        """Forward new connections again, and still nothing of those that were open."""
        self._is_silent = False

    def close(self) -> None:
        """Close every connection, so that the database can be dropped."""
        for each in (self._listener, *self._open):
            with suppress(OSError):  # The other end has closed it.
                each.shutdown(socket.SHUT_RDWR)  # Ends the calls in which threads wait, which keep the socket open.
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):  # The listener is closed.
            while True:
                client, _ = self._listener.accept()
                self._open.add(client)
                if self._is_silent:
                    self._lost.add(client)
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._upstream)
                self._open.add(server)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=[source, target], daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if source not in self._lost:
                    target.sendall(data)
            if source not in self._lost:
                target.shutdown(socket.SHUT_WR)
