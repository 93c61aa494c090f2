"""The peers, each installed into an environment of its own and started as its documentation says."""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.contender import expect
from tests.benchmarks.database import Database
from tests.benchmarks.http_contender import HTTPContender
from tests.benchmarks.work import EARLIER, EXAMPLE, Work
from tests.live.client import Client
from tests.live.service import free_port, wait_until

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "conversations-benchmarks"
SEEDERS = 8


class Peer(HTTPContender):
    package: str
    program: str
    has_database = True
    _process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def arguments(self) -> list[str]:
        """Of its program, to listen at its port and keep everything in its database, if it can have one."""

    @property
    def python(self) -> str:
        return sys.executable

    @property
    def environment(self) -> dict[str, str]:
        return {}

    def does(self, work: Work) -> bool:
        return not work.is_ours_only

    @property
    def session(self) -> int:
        return self._process.pid

    def install(self) -> None:
        binaries = CACHE / self.name / "bin"
        if (binaries / self.program).exists():
            return
        print(f"Installing {self.package} into {CACHE / self.name} …", flush=True)
        subprocess.run([self.python, "-m", "venv", CACHE / self.name], check=True)
        subprocess.run([binaries / "pip", "install", "--quiet", self.package], check=True)

    def start(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self.directory, self.port = Path(self._directory.name), free_port()
        if self.has_database:
            self.database = Database(self.name)
            self.database.create()
        self.install()
        with (self.directory / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [CACHE / self.name / "bin" / self.program, *self.arguments()],
                cwd=self.directory,
                env={**os.environ, **self.environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_until(self._is_answering, seconds=120)

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            os.killpg(self.session, signal.SIGKILL)
            self._process.wait()
        if self.database:
            self.database.drop()
        self._directory.cleanup()

    def seed(self, count: int, size: int) -> list[str]:
        with ThreadPoolExecutor(SEEDERS) as pool:
            return list(pool.map(self._seed, [size] * count))

    def _seed(self, size: int) -> str:
        client = Client(self.port, self.secret)
        _, created = client.post("/conversations", metadata=EXAMPLE["metadata"])
        conversation_id: str = created["id"]
        for _ in range(size // 20):
            status, answer = client.post(f"/conversations/{conversation_id}/items", items=[EARLIER] * 20)
            expect(status == 200, f"{status} {answer}")
        client.close()
        return conversation_id

    def _is_answering(self) -> bool:
        expect(self._process.poll() is None, (self.directory / "output").read_text()[-2000:])
        client = Client(self.port, self.secret)
        try:
            return client.post("/conversations", metadata={})[0] == 200
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return False
        finally:
            client.close()


class SMG(Peer):
    """A gateway in Rust. It drops the items of a create without a word."""

    name = package = program = "smg"
    stores_items_of_create = False

    def arguments(self) -> list[str]:
        here = ["--host", "127.0.0.1", "--port", str(self.port)]
        metrics = ["--prometheus-host", "127.0.0.1", "--prometheus-port", str(free_port())]
        storage = ["--history-backend", "postgres", "--postgres-db-url", self.database.url]
        return ["launch", "--backend", "openai", "--log-level", "warn", *here, *metrics, *storage]


class OGX(Peer):
    """FastAPI on SQLAlchemy. Its appends read what is there, so long conversations take it long to make."""

    name = package = program = "ogx"
    most_at_once = 16

    def arguments(self) -> list[str]:
        url = self.database.url
        configuration = {
            "version": 2,
            "distro_name": "benchmarks",
            "apis": ["conversations"],
            "providers": {},
            "storage": {
                "backends": {
                    "kv_default": {"type": "kv_postgres", "connection_string": url},
                    "sql_default": {"type": "sql_postgres", "connection_string": url},
                },
            },
        }
        path = self.directory / "configuration.yaml"
        path.write_text(json.dumps(configuration))
        return ["run", "--insecure", str(path), "--port", str(self.port)]

    @property
    def python(self) -> str:
        """It needs 3.12; pyenv's own command runs only what was chosen for this folder."""
        installed = sorted(Path.home().glob(".pyenv/versions/3.12.*/bin/python"))
        return str(installed[-1]) if installed else "python3.12"

    @property
    def environment(self) -> dict[str, str]:
        return {"OGX_LOGGING": "all=warning", "SQLITE_STORE_DIR": str(self.directory)}


class DevUI(Peer):
    """Agent Framework's, FastAPI with a dict in memory. It drops the items of a create too."""

    name = program = "devui"
    package = "agent-framework-devui"
    stores_items_of_create = False
    has_database = False
    most_at_once = 16

    def arguments(self) -> list[str]:
        here = ["--host", "127.0.0.1", "--port", str(self.port)]
        return [".", "--headless", "--no-open", "--no-auth", "--log-level", "WARNING", *here]
