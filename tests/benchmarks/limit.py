"""What PostgreSQL itself can do: pgbench writes and reads the same rows, each request as one prepared statement."""

import re
import subprocess
import tempfile
from math import nan
from pathlib import Path
from statistics import quantiles

from tests.benchmarks import statements, wrk
from tests.benchmarks.contender import Contender, Run, expect
from tests.benchmarks.database import Database
from tests.benchmarks.work import Work
from tests.live.service import manage


class Limit(Contender):
    name = "pgbench"

    def start(self) -> None:
        self.database = Database(self.name)
        self.database.create()
        migrated = manage("migrate", DATABASE_URL=self.database.url, SECRET_KEY="benchmark")
        expect(migrated.returncode == 0, migrated.stderr)
        self.database.execute(
            "INSERT INTO auth_user (id, username, password, is_superuser, first_name, last_name, email, is_staff,"
            " is_active, date_joined) VALUES (1, 'admin', '', true, '', '', '', true, true, now())"
        )
        self._seeded = 0

    def stop(self) -> None:
        self.database.drop()

    def seed(self, count: int, size: int) -> list[str]:
        """Their numbers."""
        first, last = self._seeded + 1, self._seeded + count
        for statement in statements.seed(first, last, size):
            self.database.execute(statement)
        self._seeded = last
        return [str(number) for number in range(first, last + 1)]

    def check(self, work: Work) -> None:
        before = self._items()
        self._pgbench(work, "-c1", "-t1")
        expect(self._items() - before == (work.items if work.writes else 0), f"{work.items} items are not there")

    def run(self, work: Work, seconds: float) -> Run:
        self.database.checkpoint()
        with self.used() as use:
            timing = self._pgbench(work, f"-c{wrk.CONNECTIONS}", f"-T{seconds:g}")
        self.grew(work, timing.requests)
        return Run.of(timing, use)

    def _pgbench(self, work: Work, *arguments: str) -> wrk.Timing:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            script = directory / "script.sql"
            script.write_text(self._script(work))
            command = ["pgbench", "-n", "-Mprepared", *arguments, "-f", script, "-l", f"--log-prefix={directory}/log"]
            where = {"-h": self.database.host, "-p": str(self.database.port), "-U": self.database.user}
            command += [part for pair in where.items() for part in pair] + [self.database.name]
            done = subprocess.run(command, capture_output=True, text=True)
            expect(done.returncode == 0, done.stderr[-500:])
            rate = re.search(r"tps = ([\d.]+)", done.stdout)  # none where nothing was finished in time
            logs = [path.read_text() for path in directory.glob("log*")]
        times = [int(line.split()[2]) / 1000 for log in logs for line in log.splitlines()]
        percentiles = quantiles(times * 2, n=100) if times else [nan] * 99
        return wrk.Timing(float(rate[1]) if rate else 0, percentiles[49], percentiles[98], len(times), failed=0)

    def _script(self, work: Work) -> str:
        """Clients have conversations of their own among the seeded ones, so that they don't wait for each other."""
        if not work.size:
            return statements.statement(work, "") + ";\n"
        ids = self.group(work).ids
        share = len(ids) // wrk.CONNECTIONS
        number = f"{ids[0]} + :client_id * {share} + random(1, {share}) - 1" if share else ids[0]
        chosen = statements.seeded_id(":number::bigint")
        return f"\\set number {number}\n{' '.join(statements.statement(work, chosen).split())};\n"

    def _items(self) -> int:
        return self.database.execute("SELECT count(*) FROM conversations_item")[0][0]
