"""The HTTP server and the processes that it starts."""

import gc
import signal
import socket
from collections.abc import Callable
from typing import Any

from django.utils.module_loading import import_string
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.net import SocketSpec  # type: ignore[attr-defined]
from granian.server.mp import MPServer

GC_THRESHOLD = 2_000  # allocations between two garbage collections; about as many as one request makes
STOP_SECONDS = 30  # for requests in flight, and for a worker that was still starting when the signal came


class SharedSocketServer(MPServer):
    """Granian with one listening socket for all workers.

    By itself Granian gives each worker on Linux a socket of its own. When a worker dies, the kernel then resets the
    connections that wait in its queue, unless `net.ipv4.tcp_migrate_req` is set. The queue of a shared socket is
    served by the other workers. Granian does the same on macOS, where sockets cannot share a port.
    """

    def _init_shared_socket(self) -> None:
        holder: Any = SocketSpec(self.bind_addr, self.bind_port, self.backlog).build()
        self._ssp, self._shd, self._sfd = None, holder, holder.get_fd()
        self._sso = socket.socket(fileno=self._sfd)
        self._sso.set_inheritable(True)


def serve(*, host: str, port: int, workers: int, threads: int) -> None:
    """Serve `project.wsgi.application` until a signal stops the process. A worker that dies is replaced."""
    SharedSocketServer(
        "project.wsgi.application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.warning,
    ).serve(target_loader=_load_application)


def _load_application(path: str) -> Callable[..., Any]:
    """Prepare a worker process and import its WSGI application.

    Ctrl-C sends SIGINT to every process of the terminal. Workers ignore it, because the main process stops them with
    SIGTERM, and Granian's worker may hang when both signals arrive together. SIGTERM gets its default action, because
    Granian's own handler would miss a signal that arrives while the application loads.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    application: Callable[..., Any] = import_string(path)
    # Modules live as long as the process, so the collector need not scan them. Objects of requests in flight on other
    # threads survive a collection and move to an older generation. Unless the older generations are collected as often
    # as the youngest, memory keeps growing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 1, 1)
    return application
