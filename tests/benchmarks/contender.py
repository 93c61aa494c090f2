"""What is measured, whether it speaks HTTP or not."""

import os
import signal
import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.benchmarks import machine, wrk
from tests.benchmarks.database import Database
from tests.benchmarks.work import Work
from tests.live.service import wait_until

GROWTH = 1.5  # times their size, to which appends may let conversations grow before there are new ones


class WrongAnswer(Exception):
    """Something that can't be timed, because it isn't done."""


@dataclass(frozen=True)
class Run:
    rate: float  # per second
    p50: float  # milliseconds
    p99: float
    failed: int
    cpu_per_1000: float  # seconds of the service's processes
    database_cpu_per_1000: float
    memory: int  # bytes of the service's processes
    other_cores: float  # that others kept busy meanwhile

    @classmethod
    def of(cls, timing: wrk.Timing, use: machine.Use) -> "Run":
        thousands = max(timing.rate * use.seconds, 1) / 1000
        return cls(
            timing.rate,
            timing.p50,
            timing.p99,
            timing.failed,
            use.cpu_seconds / thousands,
            use.database_cpu_seconds / thousands,
            use.memory,
            use.other_cores,
        )


@dataclass
class Group:
    """Conversations that are taken in turn."""

    ids: list[str]
    size: float  # items of each, on average


class Contender(ABC):
    name: str
    most_at_once = 10_000  # conversations of one group that are worth the wait until they are there
    database: Database | None = None

    def __init__(self) -> None:
        self._groups: dict[tuple[int, int], Group] = {}

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    @property
    def session(self) -> int | None:
        """That all of its processes are in and no others, also their group; None if there are none between runs."""
        return None

    def pause(self) -> None:
        """Leave the machine to others, with nothing half done that would hold locks meanwhile."""
        if self.session is not None:
            time.sleep(0.2)
            if self.database:
                wait_until(self.database.is_idle)
            os.killpg(self.session, signal.SIGSTOP)

    def resume(self) -> None:
        if self.session is not None:
            os.killpg(self.session, signal.SIGCONT)

    def used(self) -> AbstractContextManager[machine.Use]:
        """By it and its database, until the end of the block."""
        return machine.used_by(self.session, postmaster=self.database.postmaster() if self.database else None)

    def does(self, work: Work) -> bool:
        return True

    @abstractmethod
    def seed(self, count: int, size: int) -> list[str]:
        """New conversations with so many items each."""

    @abstractmethod
    def check(self, work: Work) -> None:
        """Do it once, and see that it is done."""

    @abstractmethod
    def run(self, work: Work, seconds: float) -> Run: ...

    def prepare(self, work: Work) -> None:
        """Have the conversations that it takes, about as long as they should be."""
        key = work.crowd, work.size
        if work.size and (key not in self._groups or self._groups[key].size > work.size * GROWTH):
            self._groups[key] = Group(self.seed(min(work.crowd, self.most_at_once), work.size), work.size)
            if self.database:
                self.database.settle()

    def group(self, work: Work) -> Group:
        return self._groups[work.crowd, work.size]

    def grew(self, work: Work, requests: int) -> None:
        if work.verb == "append":
            self.group(work).size += requests * work.items / len(self.group(work).ids)


def expect(condition: bool, message: object) -> None:
    if not condition:
        raise WrongAnswer(str(message)[-500:])
