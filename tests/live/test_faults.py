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


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's limits, signals and filters of packets")
def test_faults_under_load_lose_double_and_halve_nothing():
    name = NAMES[connection.vendor]
    if name in PROGRAMS and not shutil.which(PROGRAMS[name]) and os.environ.get("CI") != "true":
        pytest.skip(f"{PROGRAMS[name]} is not installed")
    [command] = [block.text for block in read_blocks(TESTING) if "tests.live.faults" in block.text]
    _, *arguments = shlex.split(command.replace("--minutes 30", "--minutes 0"))
    suite = subprocess.run(
        [sys.executable, *arguments, "--database", name],
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
        assert [cells[kind] for kind in ("lost", "doubled", "half-written", "misread")] == ["0"] * 4
