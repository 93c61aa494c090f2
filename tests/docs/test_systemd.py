"""The documented unit for systemd, and its environment file."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.docs.pages import OPERATING, ROOT, read_blocks, read_table
from tests.live.service import clean_environment


@pytest.fixture
def blocks():
    environment, unit = (block.text for block in read_blocks(OPERATING) if block.language == "ini")
    return environment, unit


def test_unit_is_valid_and_starts_the_command(blocks, tmp_path):
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop("systemd-analyze is not installed")
    folder = tmp_path / "opt"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to("/bin/true")
    unit = tmp_path / "conversations.service"
    unit.write_text(blocks[1].replace("/opt/conversations", str(folder)).replace("User=conversations", "User=root"))
    run = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True)
    complaints = [line for line in (run.stdout + run.stderr).splitlines() if "conversations" in line]
    assert (run.returncode, complaints) == (0, [])
    assert re.search(r"^ExecStart=\S+/python manage.py serve$", blocks[1], re.MULTILINE)
    assert (ROOT / "manage.py").exists()


def test_environment_file_configures_the_service(blocks):
    values = dict(line.split("=", 1) for line in blocks[0].splitlines())
    documented = {span for row in read_table(OPERATING, header="Variable") for span in re.findall(r"`(\w+)`", row[0])}
    assert values.keys() <= documented
    source = "import project.settings as s; print(s.LOG_REQUESTS, s.METRICS_TOKEN, s.CACHES['default']['LOCATION'])"
    command = [sys.executable, "-c", source]
    run = subprocess.run(command, cwd=ROOT, env=clean_environment(**values), capture_output=True, text=True)
    assert run.stdout == "True second-secret /var/cache/conversations\n", run.stderr
