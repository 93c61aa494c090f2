"""A worker process of the HTTP server: it loads the application, and ends when it or its parent is stopped."""

import gc
import logging
import os
import signal
import time
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Any

from django.utils.module_loading import import_string
from granian.server import mp

GC_THRESHOLD = 2_000  # allocations between two garbage collections; about as many as one request makes
STOP_SECONDS = 30  # for requests in flight

logger = logging.getLogger("project.server")


def load_application(path: str, *, threads: int, core: int | None, ready: Connection) -> Callable[..., Any]:
    """Prepare the worker process, import its WSGI application and write a byte to `ready`.

    All its threads run on `core`, if there is one.

    The process was started with every signal to stop blocked. Ctrl-C sends SIGINT to every process of the terminal.
    Workers ignore it, because the main process stops them with SIGTERM. That ends a worker at once as long as the
    application loads.
    """
    if core is not None:
        os.sched_setaffinity(0, {core})  # Threads inherit it.
    signal.signal(signal.SIGTERM, lambda *args: os._exit(1))
    Thread(target=_handle_sigterm, name="signals", daemon=True).start()
    Thread(target=stop_with_parent, name="parent", daemon=True).start()
    application: Callable[..., Any] = import_string(path)
    # These modules use Django, which `path` sets up.
    from django.conf import settings

    from project.body_reader import BodyReader, announce_close
    from project.memory import configure_malloc

    build_callback = mp._wsgi_call_wrap  # type: ignore[attr-defined]

    show_pool_use = import_string("project.metrics.show_pool_use") if settings.METRICS_TOKEN else None

    def build_reader(*args: Any) -> BodyReader:
        return BodyReader(build_callback(*args), threads=threads, show_pool_use=show_pool_use)

    # Replace the function that Granian's threads call. Granian has no setting for it.
    mp._wsgi_call_wrap = build_reader  # type: ignore[attr-defined, assignment]
    configure_malloc()
    # Modules live as long as the process, so the collector need not scan them. Objects of requests in flight on other
    # threads survive a collection and move to an older generation. Unless the older generations are collected as often
    # as the youngest, memory keeps growing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 1, 1)
    ready.send_bytes(b"1")
    return announce_close(application)


def _handle_sigterm() -> None:
    """Wait for SIGTERM, which every thread blocks, and call its handler.

    The kernel may give a signal to any thread that does not block it, but Python calls its handler in the main thread,
    which may be waiting for a lock until the end. A busy worker then missed the signal to stop, served requests for
    another 30 seconds, and was killed while it answered some.
    """
    signal.sigwait([signal.SIGTERM])
    handler: Any = signal.getsignal(signal.SIGTERM)
    handler(signal.SIGTERM, None)


def stop_with_parent() -> None:
    """Stop this process when the main process has ended without stopping it, as after `kill -9`.

    It would go on to serve its version of the code, and a new service could not have the port.
    """
    parent: Any = parent_process()
    wait([parent.sentinel])
    logger.error("The main process has ended. Stopping process %d.", os.getpid())
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os._exit(1)
