"""Inject faults under load, and print what became of the acknowledged writes.

    .venv/bin/python -m tests.live.faults --minutes 30

The command starts private database servers and services. Its exit status is 1 if a write was lost, doubled or
half-written, or a client was misled, or if a service took longer than `--recovery` seconds to answer again.
"""

import os
import signal
import socket
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from threading import Thread

import django
from django.apps import apps
from django.conf import settings

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    os.environ.setdefault("SECRET_KEY", "faults")
    os.environ.setdefault("LOG_LEVEL", "ERROR")  # without the retries of OpenAI's client
    django.setup()

from tests.cutting_proxy import CuttingProxy
from tests.live.faults.experiment import HEADINGS, Row, run
from tests.live.faults.injection import FAULTS, Site
from tests.live.faults.stores import STORES, running_store
from tests.live.service import Service

MAX_PROBLEMS = 20  # that are printed per row


def main() -> None:
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # The servers and services are stopped first.
    print_cells(HEADINGS)
    print_cells(["---"] * len(HEADINGS))
    has_problems = False
    for name in options.database or STORES:
        for row in run_faults(name, options):
            print_cells(row.cells)
            for problem in row.problems[:MAX_PROBLEMS]:
                print(f"{problem.kind}: {problem.description}", file=sys.stderr)
            has_problems |= bool(row.problems)
            if row.recovery_seconds > options.recovery:
                print(f"slow: {row.fault}: {row.recovery_seconds:.1f} seconds to recover", file=sys.stderr)
                has_problems = True
    sys.exit(has_problems)


def parse_arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m tests.live.faults", description="Inject faults under load.")
    parser.add_argument("--database", action="append", choices=list(STORES), help="only this one; may be repeated")
    parser.add_argument("--fault", action="append", choices=[fault.name for fault in FAULTS], help="likewise")
    parser.add_argument("--minutes", type=float, default=0, help="per database; the faults are repeated until then")
    parser.add_argument("--recovery", type=float, default=10, help="seconds that the service may take to recover")
    parser.add_argument("--seconds", type=float, default=2, help="that a fault lasts")
    return parser.parse_args()


def run_faults(name: str, options: Namespace) -> list[Row]:
    """Return a row for each fault on this database."""
    faults = [fault for fault in FAULTS if name in fault.stores and fault.name in (options.fault or fault.name)]
    rows: dict[str, Row] = {}
    limits = ("DATABASE_LOCK_TIMEOUT", "DATABASE_STATEMENT_TIMEOUT")
    time_outs = {limit: str(getattr(settings, limit)) for limit in limits}  # an operator's, not those of the tests
    with tempfile.TemporaryDirectory() as directory, running_store(name) as store:
        services = [Service(store, Path(directory), **time_outs) for _ in range(2)]
        listener = socket.create_server(("127.0.0.1", 0))
        proxy = CuttingProxy(listener, ("127.0.0.1", services[0].port))
        thread = Thread(target=proxy.serve)
        thread.start()
        try:
            services[0].start()
            secret = services[0].secret
            deadline = time.monotonic() + 60 * options.minutes
            number = 0
            while not number or time.monotonic() < deadline:
                for fault in faults:
                    site = Site(store, *services, proxy, seconds=options.seconds)
                    row = run(fault, site, secret=secret, number=number)
                    print(" | ".join(row.cells), file=sys.stderr, flush=True)
                    rows[fault.name] = rows[fault.name] + row if fault.name in rows else row
                number += 1
        finally:
            for service in services:
                service.kill()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            proxy.join()
            listener.close()
    return list(rows.values())


def print_cells(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
