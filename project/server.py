"""The HTTP server and the processes that it starts."""

import gc
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.utils.module_loading import import_string
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

GC_THRESHOLD = 2_000  # allocations between two garbage collections; about as many as one request makes
TCP_MIGRATION = Path("/proc/sys/net/ipv4/tcp_migrate_req")  # on Linux
STOP_SECONDS = 30  # for requests in flight, and for a worker that was still starting when the signal came


def serve(*, host: str, port: int, workers: int, threads: int) -> None:
    """Serve `project.wsgi.application` until a signal stops the process. A worker that dies is replaced."""
    Server(
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


def resets_waiting_connections(*, workers: int) -> bool:
    """Whether the kernel resets the connections that wait for a worker when the worker dies.

    Each worker listens on a socket of its own. One socket for all would keep waiting connections, but spread new ones
    unevenly: of 64 connections, one of two workers sometimes got all, and the service answered a third of the requests
    per second.
    """
    return workers > 1 and TCP_MIGRATION.exists() and TCP_MIGRATION.read_text().strip() == "0"


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
