"""How fast this service is beside its peers and beside what PostgreSQL itself can do, in one table.

    DATABASE_URL=postgres://… python -m tests.benchmarks.peers --peer pgbench --peer smg --only 'create' --seconds 2

Needs wrk, a superuser of PostgreSQL and an otherwise idle Linux machine; for all peers at once `max_connections` of
300, since each keeps its own while others are measured. Databases are made beside the one that
DATABASE_URL names, and dropped at the end. Peers that are asked for are installed into
~/.cache/conversations-benchmarks. All take turns for each row, and all but the one that is measured are stopped.
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks import machine, report
from tests.benchmarks.contender import Contender, WrongAnswer
from tests.benchmarks.limit import Limit
from tests.benchmarks.ours import Ours, OursOnSQLite, OursWithFullText
from tests.benchmarks.peer_services import OGX, SMG, DevUI
from tests.benchmarks.results import Results
from tests.benchmarks.work import WORK, Work

OTHERS = {each.name: each for each in (Limit, OursOnSQLite, OursWithFullText, SMG, OGX, DevUI)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", choices=[*OTHERS, "all"], help="to compare with; can be repeated")
    parser.add_argument("--only", action="append", metavar="TEXT", help="rows with this in their name; can be repeated")
    parser.add_argument("--seconds", type=float, default=5, help="of each run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures here")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="with figures that were kept")
    arguments = parser.parse_args()
    before = Results.read(arguments.compare) if arguments.compare else None
    names = arguments.peer or []
    others = [cls() for name, cls in OTHERS.items() if name in names or "all" in names]
    wanted = [work for work in WORK if any(text in work.name for text in arguments.only or [""])]
    results = Results(arguments.seconds)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that everything started is stopped too
    with ExitStack() as started:
        contenders = [started.enter_context(_started(each)) for each in (Ours(), *others)]
        report.print_headings()
        for work in wanted:
            _measure(work, contenders, results, runs=arguments.runs)
            report.print_work(work.name, results)
            if arguments.json:
                results.write(arguments.json)
    report.print_expectations(results)
    if before:
        report.print_comparison(before, results)


@contextmanager
def _started(contender: Contender) -> Iterator[Contender]:
    try:
        contender.start()
        contender.pause()
        yield contender
    finally:
        contender.stop()


def _measure(work: Work, contenders: list[Contender], results: Results, *, runs: int) -> None:
    able = [each for each in contenders if each.does(work) and _is_done(work, each)]
    for _ in range(runs):
        for contender in able:
            with _resumed(contender):
                contender.prepare(work)
                _warn_if_busy()
                results.add(work.name, contender.name, contender.run(work, results.seconds))


def _is_done(work: Work, contender: Contender) -> bool:
    """Errors are not to be timed."""
    with _resumed(contender):
        try:
            contender.prepare(work)
            contender.check(work)
        except WrongAnswer as error:
            print(f"^ {contender.name} can't: {work.name}: {error}", flush=True)
            return False
    return True


@contextmanager
def _resumed(contender: Contender) -> Iterator[None]:
    contender.resume()
    try:
        yield
    finally:
        contender.pause()


def _warn_if_busy() -> None:
    cores = machine.other_cores()
    if cores > machine.BUSY_CORES:
        print(f"^ WARNING: {cores:.1f} cores are busy before the run", flush=True)


if __name__ == "__main__":
    main()
