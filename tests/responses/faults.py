"""Break turns off in every way, repeat them, and print what is stored of them.

    .venv/bin/python -m tests.responses.faults --turns 100

The command starts private database servers, a service and a fake upstream. Its exit status is 1 if a turn is
half-stored, doubled, or acknowledged and lost.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import django
import openai
from django.apps import apps
from django.db import connections

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    os.environ.setdefault("SECRET_KEY", "faults")
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    django.setup()

from tests.cutting_proxy import CuttingProxy
from tests.live.faults.stores import STORES, Store, running_store
from tests.live.service import Service
from tests.responses.conftest import Stage
from tests.responses.fake_upstream import running_upstream
from tests.waiting import wait_until

HEADINGS = ["fault", "database", "turns", "acknowledged", "half-stored", "doubled", "lost"]


@dataclass
class Site:
    """A running service that calls a fake upstream, and whose connections to the database can be cut."""

    stage: Stage
    store: Store
    proxy: CuttingProxy | None  # None for SQLite

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with connections[self.store.name].cursor() as cursor:
            cursor.execute(sql, parameters)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def kill_process(site: Site, stream: Iterator[Any]) -> bool:
    """Kill the process that calls models in the middle of a stream, and let the lease that it leaves expire."""
    kill_model_process(site.stage)
    try:
        list(stream)
    except openai.APIConnectionError:
        pass
    else:
        raise AssertionError("The stream of a killed process ended.")
    with site.stage.client() as client:
        wait_until(lambda: is_answering(client))
    site.query("UPDATE conversations_responses_lease SET expires_at = '2020-01-01 00:00:00'")
    return False


def cut_upstream(site: Site, stream: Iterator[Any]) -> bool:
    return is_completed(stream)


def cut_commit(site: Site, stream: Iterator[Any]) -> bool:
    """Lose the answer to the COMMIT of the transaction that stores the turn."""
    cuts = site.proxy.cuts
    site.proxy.cut_after = b"\x03commit" if site.store.name == "mariadb" else b"commit"
    site.stage.upstream.released.set()
    is_acknowledged = is_completed(stream)
    assert site.proxy.cuts == cuts + 1
    return is_acknowledged


def abort(site: Site, stream: Any) -> bool:
    stream.close()
    return False


FAULTS: dict[str, Callable[[Site, Any], bool]] = {
    "process killed": kill_process,
    "upstream cut": cut_upstream,
    "commit cut": cut_commit,
    "client aborted": abort,
}


def main() -> None:
    parser = ArgumentParser(prog="python -m tests.responses.faults", description="Break turns off in every way.")
    parser.add_argument("--database", action="append", choices=list(STORES), help="only this one; may be repeated")
    parser.add_argument("--turns", type=int, default=20, help="for each fault and database")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # The servers and services are stopped first.
    print_cells(HEADINGS)
    print_cells(["---"] * len(HEADINGS))
    has_problems = False
    for name in options.database or STORES:
        with running_site(name) as site:
            for fault in FAULTS:
                if fault == "commit cut" and not site.proxy:
                    continue
                counts = [sum(each) for each in zip(*(run(fault, site) for _ in range(options.turns)), strict=True)]
                print_cells([fault, name, str(options.turns), *map(str, counts)])
                has_problems |= any(counts[1:])
    sys.exit(has_problems)


def run(fault: str, site: Site) -> tuple[int, bool, bool, bool]:
    """Break a turn off and repeat it. Return how often it was acknowledged, and whether each problem occurred."""
    site.stage.upstream.released.clear()
    model = "cut" if fault == "upstream cut" else "stall"
    with site.stage.client() as client:
        conversation = client.conversations.create()
        headers = {"Idempotency-Key": conversation.id}
        arguments = {"model": model, "conversation": conversation.id, "input": conversation.id, "stream": True}
        stream = client.responses.create(**arguments, extra_headers=headers)
        next(iter(stream))
        acknowledged = int(FAULTS[fault](site, stream))
        site.stage.upstream.released.set()
    with site.stage.client() as client:
        acknowledged += is_completed(client.responses.create(**arguments, extra_headers=headers))
    count = "SELECT COUNT(*) FROM {} WHERE conversation_id = %s"
    turns = f"{count.format('conversations_responses_turn')} AND status = 'completed'"
    [(items,)] = site.query(count.format("conversations_item"), conversation.id)
    [(stored,)] = site.query(turns, conversation.id)
    [(leases,)] = site.query(count.format("conversations_responses_lease"), conversation.id)
    is_half_stored = items != 2 * stored or leases > 0
    return acknowledged, is_half_stored, items > 2 or stored > 1, bool(acknowledged) and items < 2


@contextmanager
def running_site(name: str) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as directory, running_store(name) as store, running_upstream() as upstream:
        port = urlsplit(store.variables["DATABASE_URL"]).port
        with socket.create_server(("127.0.0.1", 0)) as listener:
            proxy = CuttingProxy(listener, ("127.0.0.1", port))
            url = store.variables["DATABASE_URL"].replace(f":{port}/", f":{proxy.port}/")
            variables = {"CONVERSATIONS_UPSTREAM_URL": upstream.url, "DATABASE_URL": url}
            service = Service(store, Path(directory), **variables)
            thread = Thread(target=proxy.serve)
            thread.start()
            try:
                service.start()
                yield Site(Stage(service, upstream), store, proxy if port else None)
            finally:
                service.kill()
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()
                proxy.join()


def is_completed(stream: Iterator[Any]) -> bool:
    return bool([event.type for event in stream][-1] == "response.completed")


def is_answering(client: openai.OpenAI) -> bool:
    try:
        client.models.list()
    except openai.APIConnectionError:
        return False
    return True


def kill_model_process(stage: Stage) -> None:
    [process] = [pid for pid in stage.service.workers if _is_listening(pid, stage.service.port + 1)]
    os.kill(process, signal.SIGKILL)


def _is_listening(pid: int, port: int) -> bool:
    """Whether the process has a socket that listens at the port, according to Linux."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" and f"socket:[{row[9]}]" in inodes for row in rows)


def print_cells(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
