"""Run a module in the settings of a host project, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.waiting import SECONDS

ROOT = Path(__file__).parents[2]


def run_in_host(settings: str, module: str, **variables: str) -> None:
    run_python("-W", "error", "-m", module, DJANGO_SETTINGS_MODULE=settings, **variables)


def run_python(*arguments: str, **variables: str) -> None:
    run = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert run.returncode == 0, run.stdout + run.stderr
