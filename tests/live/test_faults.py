"""Faults under load lose, double, halve and hide nothing. A longer run is a command: see `tests.live.faults`."""

import os
import resource
import shlex
import shutil
import subprocess
import sys

import pytest
from django.db import connection

from tests.docs.pages import TESTING, read_blocks
from tests.live.service import ROOT, clean_environment
from tests.waiting import SECONDS

NAMES = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mariadb"}
PROGRAMS = {"postgresql": "pg_ctlcluster", "mariadb": "mariadb-install-db"}
# Each of these faults, while it lasts, gives one of these to a request. Clients reach a dead service through a proxy.
EVIDENCE = {
    "main process killed, service started again": {"no answer", "no connection"},
    "answers cut": {"no answer"},
    "database connections reset": {"503", "replayed"},
    "database connections half-open": {"503"},
    "database killed, started again": {"503"},
    "disk full": {"503"},
}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's limits, signals and filters of packets")
def test_faults_under_load_lose_double_and_halve_nothing():
    name = NAMES[connection.vendor]
    if name in PROGRAMS and not shutil.which(PROGRAMS[name]) and os.environ.get("CI") != "true":
        pytest.skip(f"{PROGRAMS[name]} is not installed")
    [command] = [block.text for block in read_blocks(TESTING) if "tests.live.faults" in block.text]
    _, *arguments = shlex.split(command.replace("--minutes 30", "--minutes 0"))
    suite = subprocess.run(
        [sys.executable, *arguments, "--database", name, "--recovery", "inf"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=10 * SECONDS,
    )
    assert suite.returncode == 0, suite.stdout + suite.stderr
    heading, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in suite.stdout.splitlines()]
    assert len(rows) == (6 if name == "sqlite" else 9)
    for row in rows:
        cells = dict(zip(heading, row, strict=True))
        assert int(cells["acknowledged"]) > 0
        outcomes = {outcome.partition(":")[0] for outcome in cells["what clients saw"].split(", ")}
        assert outcomes & EVIDENCE.get(cells["fault"], outcomes), row
        assert [cells[kind] for kind in ("lost", "doubled", "half-written", "misread")] == ["0"] * 4
