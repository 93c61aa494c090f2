"""CPU time and memory of processes and of the whole machine, from Linux's /proc."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
BUSY_CORES = 0.1  # if other processes use more, a warning is printed


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    session: int
    cpu_seconds: float
    ended_children_cpu_seconds: float
    memory: int  # bytes in RAM

    @property
    def all_cpu_seconds(self) -> float:
        return self.cpu_seconds + self.ended_children_cpu_seconds


@dataclass
class Usage:
    """Resource usage during one measurement."""

    seconds: float = 0
    cpu_seconds: float = 0  # of the session's processes
    database_cpu_seconds: float = 0
    other_cores: float = 0  # average number of cores that other processes kept busy
    memory: int = 0  # of the session's processes at the end, bytes


def processes() -> Iterator[Process]:
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            text = (directory / "stat").read_text()
        except OSError:  # The process has ended.
            continue
        fields = text.rpartition(")")[2].split()
        user, system, children_user, children_system = (int(field) / TICKS for field in fields[11:15])
        yield Process(
            pid=int(directory.name),
            parent=int(fields[1]),
            session=int(fields[3]),
            cpu_seconds=user + system,
            ended_children_cpu_seconds=children_user + children_system,
            memory=int(fields[21]) * PAGE_BYTES,
        )


def session_processes(session: int | None) -> list[Process]:
    return [process for process in processes() if process.session == session]


@contextmanager
def measure_usage(session: int | None, *, postmaster: int | None = None) -> Iterator[Usage]:
    """Measure the processes of a session and of PostgreSQL; the result is complete at the end of the block."""
    usage, before, start = Usage(), _cpu_seconds(session, postmaster), time.monotonic()
    yield usage
    usage.seconds = time.monotonic() - start
    after = _cpu_seconds(session, postmaster)
    everything, own, usage.cpu_seconds, usage.database_cpu_seconds = (
        end - begin for end, begin in zip(after, before, strict=True)
    )
    usage.other_cores = max(0.0, (everything - own - usage.cpu_seconds - usage.database_cpu_seconds) / usage.seconds)
    usage.memory = sum(process.memory for process in session_processes(session))


def measure_other_cores(seconds: float = 0.5) -> float:
    """Return the number of cores that processes other than this one keep busy."""
    with measure_usage(None) as usage:
        time.sleep(seconds)
    return usage.other_cores


def parent_pid(pid: int) -> int:
    return next(process.parent for process in processes() if process.pid == pid)


def _cpu_seconds(session: int | None, postmaster: int | None) -> tuple[float, float, float, float]:
    """Return the CPU time of the machine, of this process with its ended children, of the session, of the database."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    own = sum(times.ru_utime + times.ru_stime for times in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))
    session_seconds = database_seconds = 0.0
    for process in processes():
        if process.session == session:
            session_seconds += process.all_cpu_seconds
        elif process.pid == postmaster:
            database_seconds += process.all_cpu_seconds
        elif process.parent == postmaster:
            database_seconds += process.cpu_seconds
    return (user + nice + system + irq + softirq) / TICKS, own, session_seconds, database_seconds
