"""Targets that speak HTTP: this service on each database, and a bare DRF viewset on the same table."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from tests.benchmarks import wrk
from tests.benchmarks.database import Database
from tests.benchmarks.target import Run, Target, expect
from tests.benchmarks.workloads import PAGE, Workload, messages
from tests.live.client import Client
from tests.live.service import ROOT, Service, clean_environment


class ConversationService(Target):
    """This service on PostgreSQL, started by `manage.py serve`."""

    name = "service"
    root = ROOT
    variables = {"CONVERSATIONS_FULL_TEXT": "False"}
    key_header: str | None = None  # the header with a key of its own that each write has

    def supports(self, workload: Workload) -> bool:
        return workload.is_write or self.key_header != wrk.KEY_HEADER

    def start(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        database = SimpleNamespace(variables={"DATABASE_URL": self._create_database()})
        variables = {**self.variables, "PYTHONPATH": str(self.root)}
        self._service = Service(database, Path(self._directory.name), self.root, **variables)
        self._service.start(is_periodic=True)  # as by default; an older checkout lacks `--no-periodic`
        self.port, self.secret = self._service.port, self._service.secret

    def stop(self) -> None:
        self._service.kill()
        if self.database:
            self.database.drop()
        self._directory.cleanup()

    @property
    def session(self) -> int:
        return self._service.session

    def seed(self, count: int, size: int) -> list[str]:
        command = [sys.executable, "-m", "tests.benchmarks.seeding", str(count), str(size)]
        environment = clean_environment(**self._service.variables)
        process = subprocess.run(command, cwd=self.root, env=environment, stdout=subprocess.PIPE, check=True)
        ids: list[str] = json.loads(process.stdout)
        return ids

    def check(self, workload: Workload) -> None:
        client = Client(self.port, self.secret)
        request = self._requests(workload)[0]
        status, body = client.send(request.method, request.path, request.body)
        expect(status in (200, 201), f"{status} {body}")
        match workload.verb:
            case "create" if workload.items:
                _, page = client.get(f"/conversations/{body['id']}/items?limit=100")
                expect(len(page["data"]) == workload.items, f"{len(page['data'])} of {workload.items} items are stored")
            case "append":
                conversation_id = self.group(workload).ids[0]
                _, page = client.get(f"/conversations/{conversation_id}/items?limit={PAGE}&order=desc")
                newest, text = page["data"][: workload.items], messages(workload.items)[0]["content"]
                expect(all(text in json.dumps(item) for item in newest), "the newest items lack the content")
            case "list" | "find":
                expect(len(body["data"]) == PAGE, f"the page has {len(body['data'])} rows")
            case "retrieve":
                expect(body["id"] == self.group(workload).ids[0], body)
        client.close()

    def run(self, workload: Workload, seconds: float) -> Run:
        if self.database:
            self.database.checkpoint()
        requests = self._requests(workload)
        key_header = self.key_header if workload.is_write else None
        with self.measure_usage() as usage:
            timing = wrk.run(self.port, requests, secret=self.secret, seconds=seconds, key_header=key_header)
        self.record_growth(workload, timing.requests)
        return Run.build(timing, usage)

    def _requests(self, workload: Workload) -> list[wrk.Request]:
        ids = self.group(workload).ids if workload.size else [""]
        return [workload.request(conversation_id) for conversation_id in ids]

    def _create_database(self) -> str:
        self.database = Database(self.name.replace("-", "_"))
        self.database.create()
        return self.database.url


class OtherCheckout(ConversationService):
    """The service of another checkout, with the installed packages of this one."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root.resolve()
        self.name = self.root.name


class FullTextService(ConversationService):
    name = "full-text"
    variables = {"CONVERSATIONS_FULL_TEXT": "True"}

    def supports(self, workload: Workload) -> bool:
        return workload.is_write


class SQLiteService(ConversationService):
    name = "sqlite"

    def _create_database(self) -> str:
        return f"sqlite:///{self._directory.name}/conversations.sqlite3"


class MariaDBService(ConversationService):
    """This service on the MariaDB that runs on this machine, whose root user may connect without a password."""

    name = "mariadb"

    def stop(self) -> None:
        super().stop()
        self._execute(f"DROP DATABASE IF EXISTS {self._schema}")

    def _create_database(self) -> str:
        for statement in ("DROP DATABASE IF EXISTS", "CREATE DATABASE"):
            self._execute(f"{statement} {self._schema}")
        return f"mysql://root@localhost/{self._schema}"

    @property
    def _schema(self) -> str:
        return f"conversations_benchmarks_{self.name.replace('-', '_')}"

    def _execute(self, statement: str) -> None:
        subprocess.run(["mariadb", "-u", "root", "-e", statement], check=True)


class KeyedService(ConversationService):
    name = "keys"
    key_header = wrk.KEY_HEADER


class KeyedSQLiteService(SQLiteService):
    name = "sqlite-keys"
    key_header = wrk.KEY_HEADER


class KeyedMariaDBService(MariaDBService):
    name = "mariadb-keys"
    key_header = wrk.KEY_HEADER


class BareDRF(ConversationService):
    name = "bare-drf"
    variables = {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.bare_drf"}

    def supports(self, workload: Workload) -> bool:
        return workload.name in ("create, no items", "retrieve")
