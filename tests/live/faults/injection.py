"""The faults: each breaks something under a running service, mends it, and returns when it was whole again."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from conversations.models import Conversation
from tests.cutting_proxy import CuttingProxy
from tests.live.faults.stores import Server, Store
from tests.live.service import WORKERS, Service
from tests.waiting import wait_until

SERVERS = ("postgresql", "mariadb")
ANY = ("sqlite", *SERVERS)


@dataclass
class Site:
    """A service with its database, and a proxy between clients and service. `other` uses the same database."""

    store: Store
    service: Service
    other: Service
    proxy: CuttingProxy
    seconds: float  # that a fault lasts


@dataclass(frozen=True)
class Fault:
    name: str
    inject: Callable[[Site], float]
    stores: tuple[str, ...] = ANY


def kill_worker_twice(site: Site) -> float:
    for _ in range(2):
        [victim, *_] = site.service.workers
        os.kill(victim, signal.SIGKILL)
        killed_at = time.monotonic()
        wait_until(lambda gone=victim: gone not in site.service.workers and len(site.service.workers) == WORKERS)
    return killed_at


def kill_main_process(site: Site) -> float:
    site.service.kill_main_process()
    killed_at = time.monotonic()
    wait_until(site.service.is_refusing_connections)
    site.service.start()
    return killed_at


def reload(site: Site) -> float:
    workers = site.service.workers
    site.service.reload()
    wait_until(lambda: len(site.service.workers) == WORKERS and not set(workers) & set(site.service.workers))
    return time.monotonic()


def cut_answers(site: Site) -> float:
    for _ in _moments(site.seconds, pause=0.03):
        site.proxy.cut_after = b" /v1/"
    site.proxy.cut_after = None
    return time.monotonic()


def use_two_services(site: Site) -> float:
    """Start a second service under load, and kill one after the other. Clients have one address for both."""
    site.other.start()
    address = ("127.0.0.1", site.other.port)
    site.proxy.targets.append(address)
    site.service.kill()
    time.sleep(site.seconds / 2)
    site.service.start()
    time.sleep(site.seconds / 2)
    site.proxy.targets.remove(address)
    site.other.kill()
    return time.monotonic()


def reset_connections(site: Site) -> float:
    server = _server(site)
    for _ in _moments(site.seconds, pause=0.1):
        server.proxy.reset_connections()
    return time.monotonic()


def lose_connections(site: Site) -> float:
    """Lose all connections, one of them within a transaction that has locked every conversation."""
    server = _server(site)
    with closing(server.connect_through_proxy()) as connection:
        connection.set_autocommit(False)
        connection.cursor().execute(f"UPDATE {Conversation._meta.db_table} SET last_position = last_position")
        server.proxy.drop_packets()
        time.sleep(site.seconds)
        server.proxy.serve_new_connections()
        return time.monotonic()


def kill_database(site: Site) -> float:
    server = _server(site)
    server.kill()
    time.sleep(site.seconds / 2)
    server.launch()
    return time.monotonic()


def stall_database(site: Site) -> float:
    server = _server(site)
    server.stall()
    time.sleep(site.seconds)
    server.resume()
    return time.monotonic()


def fill_disk(site: Site) -> float:
    """Let no file of the workers grow. The limit of the size of files stands for the size of the disk."""
    unlimited = {worker: resource.prlimit(worker, resource.RLIMIT_FSIZE) for worker in site.service.workers}
    for worker in unlimited:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    time.sleep(site.seconds)
    for worker, limits in unlimited.items():
        resource.prlimit(worker, resource.RLIMIT_FSIZE, limits)
    return time.monotonic()


FAULTS = (
    Fault("worker killed twice", kill_worker_twice),
    Fault("main process killed, service started again", kill_main_process),
    Fault("rolling reload", reload),
    Fault("answers cut", cut_answers),
    Fault("two services, killed one after the other", use_two_services),
    Fault("database connections reset", reset_connections, SERVERS),
    Fault("database connections half-open", lose_connections, SERVERS),
    Fault("database killed, started again", kill_database, SERVERS),
    Fault("database stalled", stall_database, SERVERS),
    Fault("disk full", fill_disk, ("sqlite",)),
)


def _moments(seconds: float, *, pause: float):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)


def _server(site: Site) -> Server:
    assert isinstance(site.store, Server)
    return site.store
