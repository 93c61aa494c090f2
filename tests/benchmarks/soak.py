"""Whether latency or memory of the service grows under a mixed load at half of its peak rate, on PostgreSQL.

    DATABASE_URL=postgres://… SECRET_KEY=x .venv/bin/python -m tests.benchmarks.soak --minutes 15

Prints the figures of each minute. The exit code is 0 if no request failed, no minute's 99th percentile was more than
twice the first minute's, and each worker's memory differs by at most 5 % from its memory after the first thousand
requests.
"""

import argparse
import signal
import sys
from collections.abc import Iterator

from tests.benchmarks import machine, wrk
from tests.benchmarks.results import print_row
from tests.benchmarks.services import ConversationService
from tests.benchmarks.workloads import MANY, Workload

Memory = dict[int, int]  # bytes, by process id of each worker

CREATE, RETRIEVE = Workload("", "create", items=1), Workload("", "retrieve", size=20, conversation_count=MANY)
LIST, APPEND = (
    Workload("", "list", size=20, conversation_count=MANY),
    Workload("", "append", items=1, size=20, conversation_count=MANY),
)
MIX = [APPEND, LIST, CREATE, APPEND, RETRIEVE, LIST, APPEND, RETRIEVE, LIST, APPEND]
WARM_UP_RATE, WARM_UP_SECONDS = 1_000, 1
PEAK_SECONDS = 10
MAX_P99, MAX_MEMORY_CHANGE = 2, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=15)
    parser.add_argument("--rate", type=float, help="requests per second, if not half of the peak rate")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # runs the finally block, which stops the service
    service = ConversationService()
    try:
        service.start()
        service.prepare(APPEND)
        faults = _soak(service, arguments.minutes, arguments.rate)
    finally:
        service.stop()
    print("\nNo faults." if not faults else "\n" + "\n".join(faults))
    sys.exit(bool(faults))


def _soak(service: ConversationService, minutes: int, rate: float | None) -> list[str]:
    """Run the load and return the faults."""
    requests = [workload.request(conversation_id) for conversation_id in service.group(APPEND).ids for workload in MIX]

    def run(seconds: float, rate: float | None) -> wrk.Timing:
        return wrk.run(service.port, requests, secret=service.secret, seconds=seconds, rate=rate)

    run(WARM_UP_SECONDS, WARM_UP_RATE)
    first_memory = _memory(service)
    rate = rate or run(PEAK_SECONDS, None).rate / 2
    print(f"After the first thousand requests {_megabytes(first_memory)} MB. Now {rate:.0f} requests per second.\n")
    print_row(["minute", "per second", "p50 ms", "p99 ms", "failed", "MB per worker", "other cores busy"])
    print_row(["---:"] * 7)
    timings = []
    for minute in range(1, minutes + 1):
        with service.measure_usage() as usage:
            timing = run(60, rate)
        timings.append(timing)
        figures = [f"{timing.rate:.0f}", f"{timing.p50:.1f}", f"{timing.p99:.1f}", str(timing.failed)]
        print_row([str(minute), *figures, _megabytes(_memory(service)), f"{usage.other_cores:.1f}"])
    return [*_response_faults(timings), *_memory_faults(first_memory, _memory(service))]


def _response_faults(timings: list[wrk.Timing]) -> Iterator[str]:
    failed = sum(timing.failed for timing in timings)
    if failed:
        yield f"{failed} requests failed."
    slowest = max(timing.p99 for timing in timings) / timings[0].p99
    if slowest > MAX_P99:
        yield f"The 99th percentile was {slowest:.1f} times that of the first minute."


def _memory_faults(first: Memory, last: Memory) -> Iterator[str]:
    if first.keys() != last.keys():
        yield "Workers were replaced."
    for pid in first.keys() & last.keys():
        change = last[pid] / first[pid] - 1
        if abs(change) > MAX_MEMORY_CHANGE:
            yield f"A worker's memory changed by {change:+.1%} since the first thousand requests."


def _memory(service: ConversationService) -> Memory:
    workers = [process for process in machine.session_processes(service.session) if process.pid != service.session]
    return {worker.pid: worker.memory for worker in workers}


def _megabytes(memory: Memory) -> str:
    return ", ".join(f"{size / 1e6:.1f}" for size in memory.values())


if __name__ == "__main__":
    main()
