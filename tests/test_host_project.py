import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_app_works_inside_a_project_of_somebody_elses():
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.host.settings"}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.host.try_it"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr
