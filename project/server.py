"""The HTTP server: its sockets, its limits and its settings of Granian."""

import multiprocessing
import resource
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial

from granian._granian import ListenerSpec, SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from project.periodic import run_periodic_tasks
from project.responses import run_responses
from project.supervisor import Slot, Supervisor
from project.worker import load_application

BACKLOG = 1_024  # connections that may wait for each worker
MAX_CONNECTIONS = 8_192  # per worker, silent clients included
OTHER_FILES = 256  # that a worker may have open, besides its connections


def bind(host: str, port: int, *, workers: int) -> list[SocketHolder]:
    """Return a socket for each worker, bound to one port that no other process uses, or raise `OSError`.

    A single socket for all workers would spread connections unevenly: of 64 connections, one of two workers sometimes
    got all, and the service answered a third of the requests per second.
    """
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
    if sys.platform == "linux":
        # The sockets do not listen before the database is ready. Until then the kernel lets another service have the
        # port as well, but not this name, which ends with the process.
        with socket.socket(socket.AF_UNIX) as claim:
            claim.bind(f"\0conversations.serve:{address[0]}:{port}")
            claim.detach()  # It is not closed at the end of the block.
    return [ListenerSpec(str(address[0]), port, BACKLOG).build() for _ in range(workers)]


def serve(
    sockets: Sequence[SocketHolder],
    *,
    host: str,
    port: int,
    threads: int,
    periodic: bool,
    announce: Callable[[], None],
    responses: socket.socket | None = None,
) -> None:
    """Serve `project.wsgi.application` until SIGINT or SIGTERM. SIGHUP replaces the workers, one after the other.

    Beside the workers, a process does the periodic work if `periodic` is true, and one calls models if `responses` is a
    socket for it. `announce` is called when all processes that accept connections are ready. Workers are new
    interpreters, not forks of this one, so that they load the code installed by then.
    """
    multiprocessing.set_start_method("spawn")
    files = _raise_file_limit()
    supervisor = Supervisor(
        "project.wsgi.application",
        http=HTTPModes.http1,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=len(sockets),
        blocking_threads=1,
        backpressure=max(files - OTHER_FILES, files // 2),
        log_level=LogLevels.warning,
    )
    supervisor.announce = announce
    supervisor.slots = [Slot(number, holder) for number, holder in enumerate(sockets)]
    if periodic:
        supervisor.slots.append(Slot(len(sockets), name="periodic work's", run=run_periodic_tasks))
    if responses:
        run = partial(run_responses, responses)
        supervisor.slots.append(Slot(len(sockets) + 1, name="model calls'", run=run, listener=responses))
    supervisor.serve(target_loader=partial(load_application, threads=threads))


def _raise_file_limit() -> int:
    """Raise this process's limit of open files for `MAX_CONNECTIONS`, as far as it may, and return it."""
    limit, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    if limit < wanted and (maximum == resource.RLIM_INFINITY or limit < maximum):
        limit = wanted if maximum == resource.RLIM_INFINITY else min(wanted, maximum)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, maximum))
    return min(limit, wanted)
