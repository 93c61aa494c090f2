"""A running `manage.py serve` in a session, and process group, of its own."""

import http.client
import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pytest_django.plugin import DjangoDbBlocker

from tests.live.database import ScratchDatabase
from tests.waiting import SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
PORTS = range(20_000, 32_000)
SERVICE_VARIABLES = ("ALLOWED_HOSTS", "DATABASE_REPLICA_URL", "DATABASE_URL", "DEBUG", "LOG_LEVEL", "SECRET_KEY")
# On a busy machine a request may wait long for a lock, and a client for an answer.
PATIENT = {"DATABASE_LOCK_TIMEOUT": str(SECONDS), "DATABASE_STATEMENT_TIMEOUT": str(SECONDS)}


def free_port(count: int = 1) -> int:
    """Return a port that nobody uses, and that `count - 1` more such ports follow.

    It is below the ports that systems give to outgoing connections, one of which could take it before a service does.
    """
    while True:
        port = random.SystemRandom().choice(PORTS)
        with suppress(OSError):
            for number in range(port, port + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
            return port


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment with `variables` as the only configuration of the service."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in SERVICE_VARIABLES and not name.startswith("CONVERSATIONS_")
    }
    return inherited | variables


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


class Service:
    def __init__(self, database: ScratchDatabase, directory: Path, root: Path = ROOT, **variables: str) -> None:
        self.database = database
        self._root = root
        self.port = free_port(2 if "CONVERSATIONS_UPSTREAM_URL" in variables else 1)  # one for model calls
        self.variables = {**database.variables, **PATIENT, "SECRET_KEY": "live", "LOG_LEVEL": "ERROR", **variables}
        self._stdout_path = directory / f"{self.port}.stdout"
        self._stderr_path = directory / f"{self.port}.stderr"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def session(self) -> int:
        """The session and process group of all its processes."""
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """The ids of the worker processes, according to Linux."""
        children = Path(f"/proc/{self.session}/task/{self.session}/children").read_text().split()
        return [int(child) for child in children if b"spawn_main" in _command_line(child)]

    @property
    def stdout(self) -> str:
        """The output of the last start."""
        return self._stdout_path.read_text()

    @property
    def stderr(self) -> str:
        """The errors and log messages of the last start and its workers."""
        return self._stderr_path.read_text()

    @property
    def secret(self) -> str:
        return re.search(r"Created the API key (\S+)", self.stdout)[1]

    def create_api_key(self, username: str) -> str:
        created = manage("create_api_key", username, "--create-user", **self.variables)
        assert created.returncode == 0, created.stderr
        return created.stdout.splitlines()[-1]

    def start(self, *arguments: str, is_periodic: bool = False) -> None:
        self.launch(*arguments, is_periodic=is_periodic)
        self.wait_until_started()

    def launch(self, *arguments: str, is_periodic: bool = False) -> None:
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port), "--workers", str(WORKERS)]
        command += [] if is_periodic else ["--no-periodic"]
        with self._stdout_path.open("wb") as stdout, self._stderr_path.open("wb") as stderr:
            self._process = subprocess.Popen(
                [*command, *arguments],
                cwd=self._root,
                env=clean_environment(**self.variables),
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    def wait_until_started(self) -> None:
        wait_until(self._is_answering)
        wait_until(lambda: "Stop with Ctrl-C." in self.stdout)

    def interrupt(self) -> None:
        """Send SIGINT to the main process and its workers, as Ctrl-C in a terminal does."""
        os.killpg(self._process.pid, signal.SIGINT)

    def terminate(self) -> None:
        """Send SIGTERM to the main process only, as a container runtime does."""
        self._process.terminate()

    def reload(self) -> None:
        """Have the workers replaced by new ones, one after the other."""
        self._process.send_signal(signal.SIGHUP)

    def kill_main_process(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process = None

    def wait(self) -> int:
        code = self._process.wait(timeout=SECONDS)
        self._process = None
        return code

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        self.interrupt()
        assert self.wait() == 0
        assert self.stderr == ""

    def is_refusing_connections(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) != 0

    def _is_answering(self) -> bool:
        assert self._process.poll() is None, self.stderr
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/v1/")
            connection.getresponse().read()
        except OSError:
            return False
        finally:
            connection.close()
        return True


def _command_line(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # It has ended since it was listed.
        return b""


@contextmanager
def running_service(directory: Path, blocker: DjangoDbBlocker, **variables: str) -> Iterator[Service]:
    """Start a service on a database of its own, and stop it at the end of the block."""
    database = ScratchDatabase(directory, blocker)
    service = Service(database, directory, **variables)
    database.create()
    try:
        service.start()
        yield service
        service.stop()
    finally:
        service.kill()
        database.drop()
