"""Whether this service on PostgreSQL stays as it is under a mixed load at half of its peak rate.

    DATABASE_URL=postgres://… python -m tests.benchmarks.soak --minutes 15

Prints each minute's figures and a verdict, which is what it exits with: no request failed, no minute's 99th percentile
was more than twice the first one's, and each worker has the memory that it had after the first thousand requests, give
or take 5 %.
"""

import argparse
import signal
import sys
from collections.abc import Iterator

from tests.benchmarks import machine, wrk
from tests.benchmarks.ours import Ours
from tests.benchmarks.report import print_row
from tests.benchmarks.work import MANY, Work

Memory = dict[int, int]  # bytes, by process id of each worker

CREATE, RETRIEVE = Work("", "create", items=1), Work("", "retrieve", size=20, crowd=MANY)
LIST, APPEND = Work("", "list", size=20, crowd=MANY), Work("", "append", items=1, size=20, crowd=MANY)
MIX = [APPEND, LIST, CREATE, APPEND, RETRIEVE, LIST, APPEND, RETRIEVE, LIST, APPEND]
WARM_UP_RATE, WARM_UP_SECONDS = 1_000, 1
PEAK_SECONDS = 10
MAX_P99, MAX_MEMORY_CHANGE = 2, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=15)
    parser.add_argument("--rate", type=float, help="requests per second, if not half of the peak rate")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the service is stopped too
    service = Ours()
    try:
        service.start()
        service.prepare(APPEND)
        faults = _soak(service, arguments.minutes, arguments.rate)
    finally:
        service.stop()
    print("\nAll as it should be." if not faults else "\n" + "\n".join(faults))
    sys.exit(bool(faults))


def _soak(service: Ours, minutes: int, rate: float | None) -> list[str]:
    """What is wrong."""
    requests = [work.request(each) for each in service.group(APPEND).ids for work in MIX]

    def run(seconds: float, rate: float | None) -> wrk.Timing:
        return wrk.run(service.port, requests, secret=service.secret, seconds=seconds, rate=rate)

    run(WARM_UP_SECONDS, WARM_UP_RATE)
    first_memory = _memory(service)
    rate = rate or run(PEAK_SECONDS, None).rate / 2
    print(f"After the first thousand requests {_megabytes(first_memory)} MB. From here on {rate:.0f} per second.\n")
    print_row(["minute", "per second", "p50 ms", "p99 ms", "failed", "MB per worker", "cores others kept busy"])
    print_row(["---:"] * 7)
    timings = []
    for minute in range(1, minutes + 1):
        with service.used() as use:
            timing = run(60, rate)
        timings.append(timing)
        figures = [f"{timing.rate:.0f}", f"{timing.p50:.1f}", f"{timing.p99:.1f}", str(timing.failed)]
        print_row([str(minute), *figures, _megabytes(_memory(service)), f"{use.other_cores:.1f}"])
    return [*_faults_of_answers(timings), *_faults_of_memory(first_memory, _memory(service))]


def _faults_of_answers(timings: list[wrk.Timing]) -> Iterator[str]:
    failed = sum(timing.failed for timing in timings)
    if failed:
        yield f"{failed} requests failed."
    slowest = max(timing.p99 for timing in timings) / timings[0].p99
    if slowest > MAX_P99:
        yield f"The 99th percentile was {slowest:.1f} times that of the first minute."


def _faults_of_memory(first: Memory, last: Memory) -> Iterator[str]:
    if first.keys() != last.keys():
        yield "Workers were replaced."
    for pid in first.keys() & last.keys():
        change = last[pid] / first[pid] - 1
        if abs(change) > MAX_MEMORY_CHANGE:
            yield f"A worker's memory differs by {change:+.1%} from what it was after the first thousand requests."


def _memory(service: Ours) -> Memory:
    workers = (each for each in machine.session_processes(service.session) if each.pid != service.session)
    return {each.pid: each.memory for each in workers}


def _megabytes(memory: Memory) -> str:
    return ", ".join(f"{each / 1e6:.1f}" for each in memory.values())


if __name__ == "__main__":
    main()
