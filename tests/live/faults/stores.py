"""The databases that faults happen to: a file of SQLite, and private servers of PostgreSQL and MariaDB."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dj_database_url
from django.db import OperationalError, connections

from project.time_limits import set_tcp_options, time_out_options
from tests.live.service import free_port
from tests.live.silent_proxy import SilentProxy
from tests.waiting import wait_until

IS_ROOT = os.getuid() == 0


class Store:
    """A database of the service, which the suite reads through an alias of the same name, without any proxy."""

    name: str
    engine: str | None = None  # if it is not Django's for the URL

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self.url = url

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a service that uses this database."""
        return {"DATABASE_URL": self.url}

    def start(self) -> None:
        default = connections["default"].settings_dict
        connections.databases[self.name] = (
            default | dj_database_url.parse(self.url, engine=self.engine) | {"OPTIONS": {}}
        )

    def stop(self) -> None:
        connections[self.name].close()
        del connections[self.name]
        del connections.databases[self.name]


class SQLite(Store):
    name = "sqlite"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, f"sqlite:///{directory / 'conversations.sqlite3'}")


class Server(Store):
    """A database server of the suite's own, behind a proxy that can lose and reset its connections."""

    user: str  # that runs the server instead of root
    url_format: str

    def __init__(self, directory: Path) -> None:
        self._port = free_port()
        self.proxy = SilentProxy(("127.0.0.1", self._port))
        super().__init__(directory, self.url_format.format(port=self._port))
        self._process: subprocess.Popen[bytes] | None = None
        if IS_ROOT:
            shutil.chown(directory, self.user)

    @property
    def variables(self) -> dict[str, str]:
        return {"DATABASE_URL": self.url_format.format(port=self.proxy.port)}

    def start(self) -> None:
        self.create_files()
        super().start()
        self.launch()

    def stop(self) -> None:
        self.proxy.close()
        if self._process is not None:
            self.resume()
            self.kill()
        super().stop()

    def connect_through_proxy(self) -> Any:
        """Return an open connection of Django's like those of the service, with its time-outs, for any thread."""
        connection = connections[self.name].copy()
        connection.settings_dict |= {"PORT": self.proxy.port}
        connection.settings_dict["OPTIONS"] = time_out_options(connection.vendor, {})
        connection.inc_thread_sharing()
        connection.ensure_connection()
        set_tcp_options(connection=connection)
        return connection

    def launch(self) -> None:
        """Start the server, and wait until it accepts connections."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, **self.run_as())
        wait_until(self._is_accepting)

    def kill(self) -> None:
        """End the server with SIGKILL, and its other processes with it."""
        connections[self.name].close()
        self._process.kill()
        self._process.wait()

    def stall(self) -> None:
        """Keep every process of the server from running, while the kernel goes on to accept data for them."""
        self._send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._send_signal(signal.SIGCONT)

    def run(self, *command: str | Path) -> None:
        subprocess.run(command, check=True, capture_output=True, **self.run_as())

    def run_as(self) -> dict[str, Any]:
        return {"user": self.user, "group": self.user, "cwd": self.directory} if IS_ROOT else {"cwd": self.directory}

    def create_files(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str | Path]:
        raise NotImplementedError

    def _send_signal(self, number: int) -> None:
        pid = self._process.pid
        os.kill(pid, number)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with suppress(ProcessLookupError):  # It has ended since it was listed.
                os.kill(int(child), number)

    def _is_accepting(self) -> bool:
        assert self._process.poll() is None, (self.directory / "log").read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self._port)):
                return False
        connection = connections[self.name].copy()
        try:
            connection.ensure_connection()
        except OperationalError:
            return False
        finally:
            connection.close()
        return True


class PostgreSQL(Server):
    name = "postgresql"
    engine = "project.postgresql"
    user = "postgres"
    url_format = "postgres://test@127.0.0.1:{port}/postgres"

    def create_files(self) -> None:
        self._data = self.directory / "data"
        self._programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
        self.run(self._programs / "initdb", "--username=test", "--auth=trust", "--no-sync", "-D", self._data)

    def command(self) -> list[str | Path]:
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        return [self._programs / "postgres", "-D", self._data, "-p", str(self._port), *options]


class MariaDB(Server):
    name = "mariadb"
    user = "mysql"
    url_format = "mysql://root@127.0.0.1:{port}/conversations"

    def create_files(self) -> None:
        self._options = ["--no-defaults", f"--datadir={self.directory / 'data'}"]
        self.run("mariadb-install-db", *self._options, "--auth-root-authentication-method=normal")
        (self.directory / "create.sql").write_text(
            "CREATE DATABASE IF NOT EXISTS conversations CHARACTER SET utf8mb4;\n"
        )

    def command(self) -> list[str | Path]:
        options = ["--bind-address=127.0.0.1", f"--init-file={self.directory / 'create.sql'}", "--skip-name-resolve"]
        sockets = [f"--port={self._port}", f"--socket={self.directory / 'socket'}"]
        return [shutil.which("mariadbd", path="/usr/sbin:/usr/bin"), *self._options, *sockets, *options]


STORES = {store.name: store for store in (SQLite, PostgreSQL, MariaDB)}


@contextmanager
def running_store(name: str) -> Iterator[Store]:
    """Start a database in a folder of its own, which is removed at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="conversations-faults-") as directory:
        store = STORES[name](Path(directory))
        try:
            store.start()
            yield store
        finally:
            store.stop()
