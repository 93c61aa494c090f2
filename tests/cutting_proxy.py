"""A proxy between a client and a server that cuts the connection instead of passing an answer on."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

from django.db import connection


class CuttingProxy:
    """`cut_after` is a part of the statement whose answer is not passed on, in lower case, or None.

    Connections go to the servers at `targets` in turn, or to the next one if a server does not accept any.
    """

    def __init__(self, listener: socket.socket, target: Any) -> None:
        self.cut_after: bytes | None = None
        self.cuts = 0
        self.targets = [target]
        self._listener = listener
        self._threads: list[Thread] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        with suppress(OSError):  # The listener was shut down.
            while True:
                client, _ = self._listener.accept()
                self._threads.append(Thread(target=self._forward, args=(client,)))
                self._threads[-1].start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _forward(self, client: socket.socket) -> None:
        is_cut = False
        with suppress(OSError), client, self._connect() as server:  # Either side may reset its connection.
            while True:
                readable, _, _ = select.select([client, server], [], [])
                data = readable[0].recv(65536)
                if not data:
                    return
                if readable[0] is client:
                    if self.cut_after and self.cut_after in data.lower():
                        is_cut, self.cut_after = True, None
                    server.sendall(data)
                elif is_cut:
                    self.cuts += 1
                    return
                else:
                    client.sendall(data)

    def _connect(self) -> socket.socket:
        targets = list(self.targets)
        turn = len(self._threads) % len(targets)
        for target in targets[turn:] + targets[:turn]:
            server = socket.socket(self._listener.family)
            try:
                server.connect(target)
            except OSError:
                server.close()
            else:
                return server
        raise ConnectionRefusedError


@contextmanager
def running_proxy(directory: Path) -> Iterator[CuttingProxy]:
    """Run a proxy to the server of the test database, and connect the database through it."""
    settings = dict(connection.settings_dict)
    listener, target, address = _listen(directory, settings)
    proxy = CuttingProxy(listener, target)
    thread = Thread(target=proxy.serve)
    thread.start()
    connection.close()
    connection.settings_dict |= address
    try:
        yield proxy
    finally:
        connection.close()
        connection.settings_dict |= settings
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        proxy.join()
        listener.close()


def _listen(directory: Path, settings: dict[str, Any]) -> tuple[socket.socket, Any, dict[str, Any]]:
    """Return a listening socket, the address of the server, and the settings for the socket's address."""
    host, port = settings["HOST"], settings["PORT"]
    if connection.vendor == "postgresql" and host.startswith("/"):
        target: Any = f"{host}/.s.PGSQL.{port or 5432}"
        path, address = directory / ".s.PGSQL.5432", {"HOST": str(directory), "PORT": "5432"}
    elif connection.vendor == "mysql" and host in ("", "localhost"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@socket")
            [target] = cursor.fetchone()
        path = directory / "mysql.sock"
        address = {"HOST": str(path), "PORT": ""}
    else:
        target = (host, int(port or {"postgresql": 5432, "mysql": 3306}[connection.vendor]))
        listener = socket.create_server(("127.0.0.1", 0))
        return listener, target, {"HOST": "127.0.0.1", "PORT": str(listener.getsockname()[1])}
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener, target, address
