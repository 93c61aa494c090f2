"""The main process of the HTTP server: it starts workers, and replaces those that die and those with old code."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from granian._granian import SocketHolder
from granian.server import mp

from project.body_reader import MAX_READERS
from project.worker import STOP_SECONDS

SPARE_READERS = 24  # threads for requests without a body, and for bodies that are refused
PAUSES = (0, 1, 2, 4, 8)  # seconds before a worker that died early starts again, by the number of its early deaths
EARLY_SECONDS = 60  # A worker that lived longer starts again at once.
TICK_SECONDS = 0.2  # between two looks at the clock while a worker starts, stops or pauses
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

logger = logging.getLogger("project.server")


@dataclass
class _Process:
    """A process of a worker. It loads the application, is ready, and is stopped after another one has replaced it."""

    name: str
    inner: BaseProcess
    ready: Connection  # closed when its byte, or its end, has been read
    is_successor: bool
    started_at: float
    is_ready: bool = False
    kill_at: float | None = None  # while it stops

    def __str__(self) -> str:
        return f"{self.name} process {self.inner.pid}"

    def stop(self) -> None:
        if self.kill_at is None:
            self.inner.terminate()
            self.kill_at = time.monotonic() + STOP_SECONDS


class Slot:
    """A worker's place: its socket outlives its processes, so that connections which wait for it are not lost.

    The process of a place with `run` is not one of Granian's, but calls this function with its end of a pipe.
    """

    def __init__(
        self,
        number: int,
        holder: SocketHolder | None = None,
        *,
        name: str = "worker",
        run: Callable[[Connection], None] | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        self.number = number
        self.name = name
        self.run = run
        self.holder = holder
        self.socket = socket.socket(fileno=holder.get_fd()) if holder else listener
        self.processes: list[_Process] = []
        self.early_deaths = 0
        self.can_load = True  # False after a process ended by itself before it was ready
        self.start_at = 0.0

    @property
    def is_served(self) -> bool:
        """Whether a process answers its requests, or will when it is ready. None does after an early death."""
        return any(process.kill_at is None for process in self.processes)

    def pause(self, *, lived: float) -> float:
        """Postpone the next start, the longer the more processes died early one after the other. Return the seconds."""
        self.early_deaths = self.early_deaths + 1 if lived < EARLY_SECONDS else 1
        pause = PAUSES[min(self.early_deaths, len(PAUSES)) - 1]
        self.start_at = time.monotonic() + pause
        return pause


class Supervisor(mp.MPServer):
    """Granian's server, whose workers are watched by a single thread that never gives up.

    Granian's own main process ends the service if a worker dies twice within 5.5 seconds.
    """

    slots: list[Slot]
    announce: Callable[[], None]  # called once, when every worker is ready

    def _serve(self, spawn_target: Any, target_loader: Any) -> None:
        self._spawn_target, self._target_loader = spawn_target, target_loader
        # These threads read bodies. Granian warns of more threads than can run Python well if it knows before.
        self.blocking_threads = MAX_READERS + SPARE_READERS
        self._to_replace: list[Slot] = []
        self._is_stopping = self._has_served = False
        self._exit_code = 0
        resource_tracker.ensure_running()  # A worker's start would start it, and unblock the signals that are blocked.
        signals, wakeup = socket.socketpair()
        wakeup.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, lambda *args: None)
        signal.set_wakeup_fd(wakeup.fileno())  # From here on, the number of each signal is written to the socket.
        while not self._is_stopping or self._processes():
            self._kill_late_processes()
            if not self._is_stopping:
                self._start_processes()
            self._handle_events(signals)
        sys.exit(self._exit_code)

    def _processes(self) -> list[tuple[Slot, _Process]]:
        return [(slot, process) for slot in self.slots for process in slot.processes]

    def _kill_late_processes(self) -> None:
        for _, process in self._processes():
            if process.kill_at is not None and process.kill_at < time.monotonic():
                logger.error("Killing %s, which has not stopped within %d seconds.", process, STOP_SECONDS)
                process.inner.kill()
                process.kill_at += STOP_SECONDS

    def _start_processes(self) -> None:
        """Start a process for each worker that has none and whose pause is over.

        After SIGHUP, start the successor of one worker's process as soon as no other process is starting or stopping.
        """
        for slot in self.slots:
            if not slot.is_served and slot.start_at <= time.monotonic():
                self._start_process(slot)
        is_calm = all(process.is_ready and process.kill_at is None for _, process in self._processes())
        if self._to_replace and is_calm and self._to_replace[0].start_at <= time.monotonic():
            self._start_process(self._to_replace.pop(0), is_successor=True)

    def _new_process(self, slot: Slot, ready: Connection) -> BaseProcess:
        if slot.run:
            return multiprocessing.Process(target=slot.run, args=[ready])
        self._ssp, self._shd, self._sso = None, slot.holder, slot.socket  # type: ignore[assignment]
        loader = partial(self._target_loader, core=self._core(slot), ready=ready)
        worker: BaseProcess = self._spawn_worker(slot.number, self._spawn_target, loader).inner
        return worker

    def _core(self, slot: Slot) -> int | None:
        """Return the core for the worker's threads, if there are as many workers as cores on Linux, or a multiple.

        One thread at a time holds the interpreter, and it often changes hands. Between cores that takes long: on a core
        of its own, a worker answered a fifth more requests per second.
        """
        workers = sum(1 for each in self.slots if each.holder)
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        return cores[slot.number % len(cores)] if cores and workers % len(cores) == 0 else None

    def _start_process(self, slot: Slot, *, is_successor: bool = False) -> None:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # The process inherits it.
        try:
            ready, ready_in_process = multiprocessing.Pipe(duplex=False)
            with ready_in_process:
                inner = self._new_process(slot, ready_in_process)
                # If an exception ends the main process, Python stops the workers, instead of waiting for them.
                inner.daemon = True
                inner.start()
        except OSError as error:  # no memory, or too many processes or files
            pause = slot.pause(lived=0)
            logger.error("A process can't be started: %s. Trying again in %d seconds.", error, pause)
            if is_successor:
                self._to_replace.insert(0, slot)
        else:
            slot.processes.append(_Process(slot.name, inner, ready, is_successor, started_at=time.monotonic()))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _handle_events(self, signals: socket.socket) -> None:
        """Wait for a signal, for a process that becomes ready or ends, or for the time to look at the clock."""
        handlers: dict[Any, Callable[[], None]] = {signals: partial(self._handle_signals, signals)}
        for slot, process in self._processes():
            handlers[process.inner.sentinel] = partial(self._handle_end, slot, process)
            if not process.ready.closed:
                handlers[process.ready] = partial(self._handle_ready, slot, process)
        has_pending = any(process.kill_at for _, process in self._processes())
        is_settled = not has_pending and not self._to_replace and all(slot.is_served for slot in self.slots)
        for event in wait(list(handlers), timeout=None if is_settled else TICK_SECONDS):
            handlers[event]()

    def _handle_signals(self, signals: socket.socket) -> None:
        numbers = set(signals.recv(1_000))
        if numbers & {signal.SIGINT, signal.SIGTERM}:
            self._stop()
        elif not self._is_stopping:
            self._to_replace = list(self.slots)

    def _stop(self) -> None:
        """Stop every process. When the last one has closed a worker's socket, new connections are refused."""
        self._is_stopping = True
        for slot in self.slots:
            if slot.socket:
                slot.socket.close()
        for _, process in self._processes():
            process.stop()

    def _handle_ready(self, slot: Slot, process: _Process) -> None:
        """Let connections wait in the worker's socket from now on, and stop the process that this one replaces."""
        try:
            process.ready.recv_bytes()
            process.is_ready = slot.can_load = True
        except (EOFError, OSError):  # It ended before it was ready, and perhaps its end has been handled already.
            return
        finally:
            process.ready.close()
        if slot.socket and not self._is_stopping:
            slot.socket.listen(self.backlog)
        for other in slot.processes:
            if other is not process:
                other.stop()
        if not self._has_served and all(process.is_ready for slot, process in self._processes() if slot.socket):
            self._has_served = True
            self.announce()

    def _handle_end(self, slot: Slot, process: _Process) -> None:
        process.inner.join()
        process.ready.close()
        slot.processes.remove(process)
        if process.kill_at is not None:
            return
        if process.is_successor and not process.is_ready:
            self._to_replace.clear()
            logger.error("The new %s could not start. The service goes on with the old code.", process)
            return
        code = process.inner.exitcode or 0
        reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        pause = slot.pause(lived=time.monotonic() - process.started_at)
        logger.error("The %s died (%s). It is replaced in %d seconds.", process, reason, pause)
        if code >= 0 and not process.is_ready:  # A signal says nothing about the code.
            slot.can_load = False
        if not self._has_served and not any(slot.can_load for slot in self.slots if slot.holder):
            logger.error("No worker process could start. Stopping.")
            self._exit_code = 1
            self._stop()
