"""How fast the API is, in one table, beside PostgreSQL alone or a bare DRF viewset.

    DATABASE_URL=postgres://… SECRET_KEY=x .venv/bin/python -m tests.benchmarks.api --with pgbench --only create

Needs wrk, a superuser of PostgreSQL and an otherwise idle Linux machine. It creates databases beside the one that
DATABASE_URL names, and drops them at the end. For each workload the targets are measured in turn; the others
are stopped meanwhile.
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks import machine, results, wrk
from tests.benchmarks.pgbench import PgBench
from tests.benchmarks.results import Results
from tests.benchmarks.services import (
    BareDRF,
    ConversationService,
    FullTextService,
    KeyedMariaDBService,
    KeyedService,
    KeyedSQLiteService,
    MariaDBService,
    OtherCheckout,
    SQLiteService,
)
from tests.benchmarks.target import Target, WrongResponse
from tests.benchmarks.workloads import WORKLOADS, Workload

COMPARISONS = {
    target.name: target
    for target in (
        PgBench,
        BareDRF,
        FullTextService,
        KeyedService,
        SQLiteService,
        KeyedSQLiteService,
        MariaDBService,
        KeyedMariaDBService,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", dest="names", action="append", choices=COMPARISONS, default=[], help="repeatable")
    parser.add_argument(
        "--checkout", action="append", type=Path, metavar="FOLDER", default=[], help="also serve this one; repeatable"
    )
    parser.add_argument("--only", action="append", metavar="TEXT", help="workloads with this in their name; repeatable")
    parser.add_argument("--seconds", type=float, default=5, help="per run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="print the changes since a file of --json")
    arguments = parser.parse_args()
    earlier = Results.read(arguments.compare) if arguments.compare else None
    workloads = [workload for workload in WORKLOADS if any(text in workload.name for text in arguments.only or [""])]
    measured = Results(arguments.seconds)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # runs the exit stack, which stops the targets
    with ExitStack() as stack:
        targets = [ConversationService(), *(COMPARISONS[name]() for name in arguments.names)]
        targets += map(OtherCheckout, arguments.checkout)
        _let_all_send_keys([target for target in targets if isinstance(target, ConversationService)])
        for target in targets:
            stack.enter_context(_started(target))
        results.print_headings()
        for workload in workloads:
            _measure(workload, targets, measured, runs=arguments.runs)
            results.print_workload(workload.name, measured)
            if arguments.json:
                measured.write(arguments.json)
    if earlier:
        results.print_comparison(earlier, measured)


def _let_all_send_keys(services: list[ConversationService]) -> None:
    """Compare services with and without keys at the same work of the client, which composes each such request anew."""
    if any(service.key_header for service in services):
        for service in services:
            service.key_header = service.key_header or wrk.UNUSED_HEADER


@contextmanager
def _started(target: Target) -> Iterator[Target]:
    try:
        target.start()
        target.pause()
        yield target
    finally:
        target.stop()


def _measure(workload: Workload, targets: list[Target], measured: Results, *, runs: int) -> None:
    able = [target for target in targets if target.supports(workload) and _passes_check(workload, target)]
    for _ in range(runs):
        for target in able:
            with _resumed(target):
                target.prepare(workload)
                _warn_if_busy()
                measured.add(workload.name, target.name, target.run(workload, measured.seconds))


def _passes_check(workload: Workload, target: Target) -> bool:
    """Whether the target does the workload at all; error responses would be fast."""
    with _resumed(target):
        try:
            target.prepare(workload)
            target.check(workload)
        except WrongResponse as error:
            print(f"^ {target.name} fails at {workload.name}: {error}", flush=True)
            return False
    return True


@contextmanager
def _resumed(target: Target) -> Iterator[None]:
    target.resume()
    try:
        yield
    finally:
        target.pause()


def _warn_if_busy() -> None:
    cores = machine.measure_other_cores()
    if cores > machine.BUSY_CORES:
        print(f"^ WARNING: {cores:.1f} cores are busy before the run", flush=True)


if __name__ == "__main__":
    main()
