"""Run a command of the documentation that breaks things, and read the table that it prints."""

import os
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


def database_name() -> str:
    """Return the command's name for the engine that the suite runs on. Skip the test if it has no private servers."""
    name = NAMES[connection.vendor]
    if name in PROGRAMS and not shutil.which(PROGRAMS[name]) and os.environ.get("CI") != "true":
        pytest.skip(f"{PROGRAMS[name]} is not installed")
    return name


def run_documented(module: str, *arguments: str, replace: str, by: str) -> tuple[list[str], list[list[str]]]:
    """Run the command on the suite's engine, which must succeed, and return the headings and the rows of its table.

    `replace` is an option of the documented command, and `by` the shorter one that is run.
    """
    [command] = [block.text for block in read_blocks(TESTING) if module in block.text]
    assert replace in command
    _, *documented = shlex.split(command.replace(replace, by))
    run = subprocess.run(
        [sys.executable, *documented, "--database", database_name(), *arguments],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=10 * SECONDS,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    headings, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in run.stdout.splitlines()]
    return headings, rows
