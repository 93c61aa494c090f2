"""This service, started as its README says."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from tests.benchmarks.database import Database
from tests.benchmarks.http_contender import HTTPContender
from tests.benchmarks.work import Work
from tests.live.service import ROOT, Service, clean_environment


class Ours(HTTPContender):
    name = "ours"
    full_text = False

    def start(self) -> None:
        self._directory = tempfile.TemporaryDirectory()
        self._service = Service(
            SimpleNamespace(variables={"DATABASE_URL": self._create_database()}),
            Path(self._directory.name),
            CONVERSATIONS_FULL_TEXT=str(self.full_text),
        )
        self._service.start()
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
        seeded = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
        ids: list[str] = json.loads(seeded.stdout)
        return ids

    def _create_database(self) -> str:
        self.database = Database(self.name.replace("-", "_"))
        self.database.create()
        return self.database.url


class OursWithFullText(Ours):
    name = "full-text"
    full_text = True

    def does(self, work: Work) -> bool:
        return work.writes and not work.is_ours_only


class OursOnSQLite(Ours):
    name = "sqlite"

    def _create_database(self) -> str:
        return f"sqlite:///{self._directory.name}/conversations.sqlite3"
