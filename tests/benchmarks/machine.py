"""What processes and the whole machine use, as Linux tells it below /proc."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
BUSY_CORES = 0.1  # of others, from which on a measurement is doubted


@dataclass(frozen=True)
class Process:
    pid: int
    name: str
    session: int
    cpu_seconds: float  # with those of its children that have ended
    memory: int  # bytes in RAM


@dataclass
class Use:
    """Of one stretch of time."""

    seconds: float = 0
    cpu_seconds: float = 0  # of the session's processes
    database_cpu_seconds: float = 0  # of all processes of PostgreSQL
    other_cores: float = 0  # that anything else kept busy, on average
    memory: int = 0  # of the session's processes at the end, bytes


def processes() -> Iterator[Process]:
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            text = (directory / "stat").read_text()
        except OSError:  # it has ended
            continue
        name, rest = text[text.index("(") + 1 :].rsplit(")", 1)
        fields = rest.split()
        cpu_seconds = sum(map(int, fields[11:15])) / TICKS
        yield Process(int(directory.name), name, int(fields[3]), cpu_seconds, int(fields[21]) * PAGE_BYTES)


def session_processes(session: int | None) -> list[Process]:
    return [process for process in processes() if process.session == session]


@contextmanager
def used_by(session: int | None) -> Iterator[Use]:
    """What the processes of this session use until the end of the block, where the answer is filled in."""
    use, before, start = Use(), _figures(session), time.monotonic()
    yield use
    use.seconds = time.monotonic() - start
    busy, ours, of_session, database = (
        after - earlier for after, earlier in zip(_figures(session), before, strict=True)
    )
    use.cpu_seconds, use.database_cpu_seconds = of_session, database
    use.other_cores = max(0.0, (busy - ours - of_session - database) / use.seconds)
    use.memory = sum(process.memory for process in session_processes(session))


def other_cores(seconds: float = 0.5) -> float:
    """How many cores anything but this process keeps busy."""
    with used_by(None) as use:
        time.sleep(seconds)
    return use.other_cores + use.database_cpu_seconds / seconds


def _figures(session: int | None) -> tuple[float, float, float, float]:
    """CPU seconds of the whole machine, of this process and its children, of the session and of PostgreSQL."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    own = sum(use.ru_utime + use.ru_stime for use in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))
    everything = list(processes())
    of_session = sum(process.cpu_seconds for process in everything if process.session == session)
    database = sum(process.cpu_seconds for process in everything if process.name == "postgres")
    return (user + nice + system + irq + softirq) / TICKS, own, of_session, database
