"""The process of `serve` that calls models: asynchronous, because a model may take minutes for an answer."""

import os
import signal
import socket
from multiprocessing.connection import Connection
from threading import Thread

from project.worker import STOP_SECONDS, stop_with_parent

GRACE_SECONDS = STOP_SECONDS - 10  # for answers in progress when the process stops


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that does not listen yet, or raise `OSError`."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def run_responses(listener: socket.socket, ready: Connection) -> None:
    """Serve until SIGTERM, and write a byte to `ready` when the process accepts connections.

    The process was started with every signal to stop blocked. It ignores the ones of a terminal, as workers do.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    Thread(target=stop_with_parent, name="parent", daemon=True).start()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    import uvicorn

    from project.asgi import application
    from project.http_protocol import PunctualProtocol

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
            ready.send_bytes(b"1")

    config = uvicorn.Config(
        application,
        http=PunctualProtocol,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    Server(config).run(sockets=[listener])
