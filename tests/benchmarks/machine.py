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
    parent: int
    session: int
    cpu_seconds: float
    cpu_seconds_of_ended: float  # children
    memory: int  # bytes in RAM

    @property
    def all_cpu_seconds(self) -> float:
        return self.cpu_seconds + self.cpu_seconds_of_ended


@dataclass
class Use:
    """Of one stretch of time."""

    seconds: float = 0
    cpu_seconds: float = 0  # of the session's processes
    database_cpu_seconds: float = 0
    other_cores: float = 0  # that anything else kept busy, on average
    memory: int = 0  # of the session's processes at the end, bytes


def processes() -> Iterator[Process]:
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            text = (directory / "stat").read_text()
        except OSError:  # it has ended
            continue
        fields = text.rpartition(")")[2].split()
        user, system, user_of_ended, system_of_ended = (int(field) / TICKS for field in fields[11:15])
        yield Process(
            pid=int(directory.name),
            parent=int(fields[1]),
            session=int(fields[3]),
            cpu_seconds=user + system,
            cpu_seconds_of_ended=user_of_ended + system_of_ended,
            memory=int(fields[21]) * PAGE_BYTES,
        )


def session_processes(session: int | None) -> list[Process]:
    return [process for process in processes() if process.session == session]


@contextmanager
def used_by(session: int | None, *, postmaster: int | None = None) -> Iterator[Use]:
    """What this connection and this PostgreSQL use until the end of the block, where the answer is filled in."""
    use, before, start = Use(), _cpu_seconds(session, postmaster), time.monotonic()
    yield use
    use.seconds = time.monotonic() - start
    after = _cpu_seconds(session, postmaster)
    everything, own, use.cpu_seconds, use.database_cpu_seconds = (
        late - early for late, early in zip(after, before, strict=True)
    )
    use.other_cores = max(0.0, (everything - own - use.cpu_seconds - use.database_cpu_seconds) / use.seconds)
    use.memory = sum(process.memory for process in session_processes(session))


def other_cores(seconds: float = 0.5) -> float:
    """How many cores anything but this process keeps busy."""
    with used_by(None) as use:
        time.sleep(seconds)
    return use.other_cores


def parent_of(pid: int) -> int:
    return next(process.parent for process in processes() if process.pid == pid)


def _cpu_seconds(session: int | None, postmaster: int | None) -> tuple[float, float, float, float]:
    """Of the whole machine, of this process and its ended children, of the session, and of the database."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    own = sum(use.ru_utime + use.ru_stime for use in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))
    of_session = of_database = 0.0
    for process in processes():
        if process.session == session:
            of_session += process.all_cpu_seconds
        elif process.pid == postmaster:
            of_database += process.all_cpu_seconds
        elif process.parent == postmaster:
            of_database += process.cpu_seconds
    return (user + nice + system + irq + softirq) / TICKS, own, of_session, of_database
