"""Prometheus metrics of all processes, at `/metrics` if METRICS_TOKEN is set. Nothing imports this module otherwise.

Each process counts in files of a folder that `serve` makes, and the one that answers a request for the metrics adds
them up. A process takes a seat, a number that no other living process has, and goes on counting in the files of the
last one on this seat. So counters never go back, and there are no more files than processes that lived at once. The
kernel releases the lock of a seat however its process ends.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import WeakSet

from django.conf import settings
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from conversations.models import Conversation
from conversations.signals import conversation_created, items_added
from project.body_reader import PoolUse
from project.observation import RequestFacts

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads it too.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # seconds

_seats: list[int] = []  # the open file of this process's seat; it keeps the lock


@contextmanager
def metrics_folder() -> Iterator[None]:
    """Make a folder in which the processes that are started in the block count."""
    with TemporaryDirectory(prefix="conversations-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        yield


def _take_seat(folder: Path) -> str:
    """Return the least number that no living process has taken, and forget how busy its last process was."""
    for number in count():
        file = os.open(folder / f"{number}.seat", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        _seats.append(file)
        mark_process_dead(number, str(folder))
        return str(number)
    raise AssertionError


def _forget_dead_processes(folder: Path) -> None:
    """Delete the gauges of processes that have ended and have no successor yet."""
    for path in folder.glob("*.seat"):
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            mark_process_dead(int(path.stem), str(folder))


_folder = Path(os.environ[FOLDER_VARIABLE]) if FOLDER_VARIABLE in os.environ else None
if _folder:
    _seat = _take_seat(_folder)
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: _seat)

REQUESTS = Counter("conversations_requests", "Answered requests.", ["method", "route", "status"])
SECONDS = Histogram(
    "conversations_request_seconds",
    "Seconds from the complete request to the response.",
    ["method", "route"],
    buckets=BUCKETS,
)
ITEMS = Counter("conversations_items_written", "Items that were stored by creates and appends.")
THREADS = Gauge("conversations_threads", "Threads for requests.", multiprocess_mode="livesum")
BUSY_THREADS = Gauge("conversations_threads_busy", "Threads that answer a request.", multiprocess_mode="livesum")
WAITING = Gauge("conversations_requests_waiting", "Complete requests without a thread.", multiprocess_mode="livesum")
BODIES = Gauge("conversations_bodies", "Bodies that clients are sending.", multiprocess_mode="livesum")
CONNECTIONS = Gauge("conversations_database_connections", "Open connections.", multiprocess_mode="livesum")

_connections: WeakSet[Any] = WeakSet()


def count_request(facts: RequestFacts) -> None:
    REQUESTS.labels(facts.method, facts.route, str(facts.status)).inc()
    SECONDS.labels(facts.method, facts.route).observe(facts.seconds)


def show_pool_use(use: PoolUse) -> None:
    THREADS.set(use.threads)
    BUSY_THREADS.set(use.busy)
    WAITING.set(use.waiting)
    BODIES.set(use.bodies)
    CONNECTIONS.set(sum(each.connection is not None for each in list(_connections)))


def metrics(request: HttpRequest) -> HttpResponse:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(token.strip(), settings.METRICS_TOKEN):
        headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
        text = "Send the value of METRICS_TOKEN as a bearer token.\n"
        return HttpResponse(text, status=401, content_type="text/plain", headers=headers)
    registry = REGISTRY
    if _folder:
        _forget_dead_processes(_folder)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(_folder))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _count_items(*, items: Iterable[Any], **kwargs: Any) -> None:
    ITEMS.inc(sum(1 for _ in items))


def _keep_connection(*, connection: Any, **kwargs: Any) -> None:
    _connections.add(connection)


connection_created.connect(_keep_connection, dispatch_uid="project.metrics")
for signal in (conversation_created, items_added):
    signal.connect(_count_items, sender=Conversation, dispatch_uid="project.metrics")
