"""A target of the benchmark: the service, or something to compare it with."""

import os
import signal
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.benchmarks import machine, wrk
from tests.benchmarks.database import Database
from tests.benchmarks.workloads import Workload
from tests.live.service import wait_until

MAX_GROWTH = 1.5  # conversations that appends made longer than this times their size are replaced by new ones


class WrongResponse(Exception):
    """The target can't do the workload, so that its time means nothing."""


@dataclass(frozen=True)
class Run:
    rate: float  # requests per second
    p50: float  # milliseconds
    p99: float
    failed: int
    cpu_per_1000: float  # seconds of the target's processes per 1,000 requests
    database_cpu_per_1000: float
    memory: int  # bytes of the target's processes
    other_cores: float  # cores that other processes kept busy

    @classmethod
    def build(cls, timing: wrk.Timing, usage: machine.Usage) -> "Run":
        thousands = max(timing.rate * usage.seconds, 1) / 1000
        return cls(
            timing.rate,
            timing.p50,
            timing.p99,
            timing.failed,
            usage.cpu_seconds / thousands,
            usage.database_cpu_seconds / thousands,
            usage.memory,
            usage.other_cores,
        )


@dataclass
class Group:
    """Conversations that the requests of a workload use in turn."""

    ids: list[str]
    size: float  # items of each, on average


class Target(ABC):
    name: str
    database: Database | None = None

    def __init__(self) -> None:
        self._groups: dict[tuple[int, int], Group] = {}

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    @property
    def session(self) -> int | None:
        """The session and process group of all its processes, or None if none runs between measurements."""
        return None

    def pause(self) -> None:
        """Stop its processes while others are measured, when no transaction of theirs is open."""
        if self.session is not None:
            time.sleep(0.2)
            if self.database:
                wait_until(self.database.is_idle)
            os.killpg(self.session, signal.SIGSTOP)

    def resume(self) -> None:
        if self.session is not None:
            os.killpg(self.session, signal.SIGCONT)

    def measure_usage(self) -> AbstractContextManager[machine.Usage]:
        """Measure the target and its database until the end of the block."""
        return machine.measure_usage(self.session, postmaster=self.database.postmaster() if self.database else None)

    def supports(self, workload: Workload) -> bool:
        return True

    @abstractmethod
    def seed(self, count: int, size: int) -> list[str]:
        """Create conversations with `size` items each, and return their ids."""

    @abstractmethod
    def check(self, workload: Workload) -> None:
        """Send one request; raise `WrongResponse` if it does not have the expected effect."""

    @abstractmethod
    def run(self, workload: Workload, seconds: float) -> Run: ...

    def prepare(self, workload: Workload) -> None:
        """Create the conversations of the workload, unless there are some of about the right length."""
        key = workload.conversation_count, workload.size
        if workload.size and (key not in self._groups or self._groups[key].size > workload.size * MAX_GROWTH):
            self._groups[key] = Group(self.seed(workload.conversation_count, workload.size), workload.size)
            if self.database:
                self.database.vacuum()

    def group(self, workload: Workload) -> Group:
        return self._groups[workload.conversation_count, workload.size]

    def record_growth(self, workload: Workload, requests: int) -> None:
        if workload.verb == "append":
            self.group(workload).size += requests * workload.items / len(self.group(workload).ids)


def expect(condition: bool, message: object) -> None:
    if not condition:
        raise WrongResponse(str(message)[-500:])
