"""A TCP proxy before the database, which can lose or reset its connections as a firewall or a vanished machine does."""

import ctypes
import socket
import struct
import threading
from contextlib import suppress

from django.db import connection

# Linux's options of a socket for a filter of the packets that arrive. Python has no names for them.
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
DROP_EVERYTHING = struct.pack("HBBI", 0x06, 0, 0, 0)  # the instruction "return 0", which keeps no byte of a packet
RESET = struct.pack("ii", 1, 0)  # the value of SO_LINGER that lets close() send a TCP reset

Address = str | tuple[str, int]


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
    """`upstream` is the path of a Unix socket, or a host and a port."""

    def __init__(self, upstream: Address) -> None:
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
        """Answer nothing any more, neither on open connections nor on new ones, and close none.

        The kernel goes on to confirm what it receives, as it does for a server that stalls.
        """
        self._is_silent = True
        self._lost |= self._open

    def drop_packets(self) -> None:
        """Do the same, and let the kernel ignore every packet, so that nobody gets a confirmation either."""
        self.lose_connections()
        for each in (self._listener, *self._open):
            with suppress(OSError):  # It is closed.
                _drop_packets(each)

    def serve_new_connections(self) -> None:
        """Forward new connections again, and still nothing of those that were open."""
        self._is_silent = False
        with suppress(OSError):  # It has no filter.
            self._listener.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)

    def reset_connections(self) -> None:
        """Send a TCP reset to both sides of every connection."""
        connections = list(self._open)
        self._lost.update(connections)
        for each in connections:
            with suppress(OSError):  # It is closed.
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._forget(each, how=socket.SHUT_RD)  # It would send a FIN before the reset otherwise.

    def close(self) -> None:
        """Close every connection, so that the database can be dropped."""
        for each in (self._listener, *self._open.copy()):
            self._forget(each)

    def _accept(self) -> None:
        with suppress(OSError):  # The listener is closed.
            while True:
                client, _ = self._listener.accept()
                self._open.add(client)
                if self._is_silent:
                    self._lost.add(client)
                    continue
                try:
                    server = self._connect()
                except OSError:  # The server is down.
                    self._forget(client)
                    continue
                self._open.add(server)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=[source, target], daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._upstream, tuple):
            return socket.create_connection(self._upstream)
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._upstream)
        return server

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if source not in self._lost:
                    target.sendall(data)
        if source not in self._lost:
            self._forget(source)
            self._forget(target)

    def _forget(self, link: socket.socket, *, how: int = socket.SHUT_RDWR) -> None:
        self._open.discard(link)
        with suppress(OSError):  # The other end has closed it.
            link.shutdown(how)  # Ends the calls in which threads wait, which keep the socket open.
        link.close()


def _drop_packets(link: socket.socket) -> None:
    instructions = ctypes.create_string_buffer(DROP_EVERYTHING)
    program = struct.pack("HL", 1, ctypes.addressof(instructions))
    link.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
