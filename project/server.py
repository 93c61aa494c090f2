"""The HTTP server and the processes that it starts."""

import gc
import os
import resource
import signal
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any

from django.utils.module_loading import import_string
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import mp

from project.body_reader import MAX_READERS, BodyReader
from project.memory import configure_malloc

GC_THRESHOLD = 2_000  # allocations between two garbage collections; about as many as one request makes
TCP_MIGRATION = Path("/proc/sys/net/ipv4/tcp_migrate_req")  # on Linux
MAX_CONNECTIONS = 8_192  # per worker, silent clients included
OTHER_FILES = 256  # that a worker may have open, besides its connections
SPARE_READERS = 24  # threads for requests without a body, and for bodies that are refused
STOP_SECONDS = 30  # for requests in flight
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Server(mp.MPServer):
    """Server whose threads read bodies, and do not run Django. Signals to stop reach it and its workers reliably.

    The number of threads is set after `serve` has checked it: Granian warns of more threads than can run Python well.
    """

    def startup(self, *args: Any) -> None:
        self.blocking_threads = MAX_READERS + SPARE_READERS
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # also in the workers, which inherit it
        super().startup(*args)  # type: ignore[no-untyped-call]
        _handle_in_thread(*STOP_SIGNALS)

    def _spawn_worker(self, *args: Any, **options: Any) -> mp.WorkerProcess:
        """Return a worker that is alive until its process has ended.

        Two threads of Granian's wait for the process. Only one of them learns that it has ended, so that the other may
        find it alive, and warn that it has to kill it.
        """
        worker: mp.WorkerProcess = super()._spawn_worker(*args, **options)
        process: BaseProcess = worker.inner
        worker.is_alive = lambda: not wait([process.sentinel], timeout=0)  # type: ignore[method-assign]
        return worker


def serve(*, host: str, port: int, workers: int, threads: int) -> None:
    """Serve `project.wsgi.application` until a signal stops the process. A worker that dies is replaced."""
    _Server(
        "project.wsgi.application",
        http=HTTPModes.http1,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=1,
        backpressure=_raise_file_limit() - OTHER_FILES,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.warning,
    ).serve(target_loader=partial(_load_application, threads=threads))


def resets_waiting_connections(*, workers: int) -> bool:
    """Whether the kernel resets the connections that wait for a worker when the worker dies.

    Each worker listens on a socket of its own. One socket for all would keep waiting connections, but spread new ones
    unevenly: of 64 connections, one of two workers sometimes got all, and the service answered a third of the requests
    per second.
    """
    return workers > 1 and TCP_MIGRATION.exists() and TCP_MIGRATION.read_text().strip() == "0"


def _raise_file_limit() -> int:
    """Raise this process's limit of open files for `MAX_CONNECTIONS`, as far as it may, and return it."""
    limit, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    if limit < wanted and (maximum == resource.RLIM_INFINITY or limit < maximum):
        limit = wanted if maximum == resource.RLIM_INFINITY else min(wanted, maximum)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, maximum))
    return min(limit, wanted)


def _load_application(path: str, *, threads: int) -> Callable[..., Any]:
    """Prepare a worker process and import its WSGI application.

    Ctrl-C sends SIGINT to every process of the terminal. Workers ignore it, because the main process stops them with
    SIGTERM. That ends a worker at once as long as the application loads.
    """
    signal.signal(signal.SIGTERM, lambda *args: os._exit(1))
    _handle_in_thread(signal.SIGTERM)
    application: Callable[..., Any] = import_string(path)
    _read_bodies_first(threads)
    configure_malloc()
    # Modules live as long as the process, so the collector need not scan them. Objects of requests in flight on other
    # threads survive a collection and move to an older generation. Unless the older generations are collected as often
    # as the youngest, memory keeps growing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 1, 1)
    return application


def _handle_in_thread(*signals: signal.Signals) -> None:
    """Start a thread that waits for one of the signals, which every thread blocks, and calls the handler of SIGTERM.

    The kernel may give a signal to any thread that does not block it, but Python calls its handler in the main thread,
    which may be waiting for a lock until the end. A busy worker then missed the signal to stop, served requests for
    another 30 seconds, and was killed while it answered some.
    """

    def handle() -> None:
        signal.sigwait(signals)
        handler: Any = signal.getsignal(signal.SIGTERM)
        handler(signal.SIGTERM, None)

    Thread(target=handle, name="signals", daemon=True).start()


def _read_bodies_first(threads: int) -> None:
    """Replace the function that Granian's threads call by a `BodyReader`. Granian has no setting for it."""
    build_callback = mp._wsgi_call_wrap  # type: ignore[attr-defined]

    def build_reader(*args: Any) -> BodyReader:
        return BodyReader(build_callback(*args), threads=threads)

    mp._wsgi_call_wrap = build_reader  # type: ignore[attr-defined, assignment]
