"""PostgreSQL alone: pgbench reads and writes the same rows as the service, each request as one prepared statement."""

import re
import subprocess
import tempfile
from math import nan
from pathlib import Path
from statistics import quantiles

from tests.benchmarks import statements, wrk
from tests.benchmarks.database import Database
from tests.benchmarks.target import Run, Target, expect
from tests.benchmarks.workloads import Workload
from tests.live.service import manage


class PgBench(Target):
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
        self._seed_count = 0

    def stop(self) -> None:
        self.database.drop()

    def seed(self, count: int, size: int) -> list[str]:
        """Create conversations, and return their numbers instead of ids."""
        first, last = self._seed_count + 1, self._seed_count + count
        for statement in statements.seed(first, last, size):
            self.database.execute(statement)
        self._seed_count = last
        return [str(number) for number in range(first, last + 1)]

    def check(self, workload: Workload) -> None:
        before = self._count_items()
        self._pgbench(workload, "-c1", "-t1")
        expected = workload.items if workload.is_write else 0
        expect(self._count_items() - before == expected, f"{expected} items are not stored")

    def run(self, workload: Workload, seconds: float) -> Run:
        self.database.checkpoint()
        with self.measure_usage() as usage:
            timing = self._pgbench(workload, f"-c{wrk.CONNECTIONS}", f"-T{seconds:g}")
        self.record_growth(workload, timing.requests)
        return Run.build(timing, usage)

    def _pgbench(self, workload: Workload, *arguments: str) -> wrk.Timing:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            script = directory / "script.sql"
            script.write_text(self._script(workload))
            command = ["pgbench", "-n", "-Mprepared", *arguments, "-f", script, "-l", f"--log-prefix={directory}/log"]
            options = {"-h": self.database.host, "-p": str(self.database.port), "-U": self.database.user}
            command += [argument for option in options.items() for argument in option] + [self.database.name]
            process = subprocess.run(command, capture_output=True, text=True)
            expect(process.returncode == 0, process.stderr[-500:])
            rate = re.search(r"tps = ([\d.]+)", process.stdout)  # missing if no transaction finished in time
            logs = [path.read_text() for path in directory.glob("log*")]
        times = [int(line.split()[2]) / 1000 for log in logs for line in log.splitlines()]
        percentiles = quantiles(times * 2, n=100) if times else [nan] * 99
        return wrk.Timing(float(rate[1]) if rate else 0, percentiles[49], percentiles[98], len(times), failed=0)

    def _script(self, workload: Workload) -> str:
        """Return pgbench's script. Each client has its own share of the conversations, so that no lock is contended."""
        if not workload.size:
            return statements.statement(workload, "") + ";\n"
        ids = self.group(workload).ids
        share = len(ids) // wrk.CONNECTIONS
        number = f"{ids[0]} + :client_id * {share} + random(1, {share}) - 1" if share else ids[0]
        conversation_id = statements.seeded_id(":number::bigint")
        return f"\\set number {number}\n{' '.join(statements.statement(workload, conversation_id).split())};\n"

    def _count_items(self) -> int:
        return self.database.execute("SELECT count(*) FROM conversations_item")[0][0]
