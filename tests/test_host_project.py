import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("settings", "module"),
    [
        ("tests.host.settings", "tests.host.try_it"),
        ("tests.host.unfold_settings", "tests.host.try_unfold"),
        ("tests.host.notes_settings", "tests.host.try_notes"),
    ],
)
def test_the_app_works_inside_a_project_of_somebody_elses(settings, module):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", module],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": settings},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr
