"""The documented units for systemd, and the environment file of the service."""

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
    return [block.text for block in read_blocks(OPERATING, under="In production") if block.language == "ini"]


def complaints_of(folder, **units):
    """Return the exit status of systemd's check of the units, and its lines about them."""
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop("systemd-analyze is not installed")
    files = [folder / name.replace("__", ".").replace("_", "-") for name in units]
    for file, text in zip(files, units.values(), strict=True):
        file.write_text(text)
    run = subprocess.run([analyze, "verify", "--man=no", *map(str, files)], capture_output=True, text=True)
    return run.returncode, [line for line in (run.stdout + run.stderr).splitlines() if "conversations" in line]


def test_unit_is_valid_and_starts_the_command(blocks, tmp_path):
    folder = tmp_path / "opt"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to("/bin/true")
    unit = blocks[1].replace("/opt/conversations", str(folder)).replace("User=conversations", "User=root")
    assert complaints_of(tmp_path, conversations__service=unit) == (0, [])
    assert re.search(r"^ExecStart=\S+/python manage.py serve$", blocks[1], re.MULTILINE)
    assert (ROOT / "manage.py").exists()


def test_backup_and_its_timer_are_valid(blocks, tmp_path):
    service, timer = blocks[2].replace("/usr/bin/pg_dump", "/bin/true"), blocks[3]
    units = {"conversations_backup__service": service, "conversations_backup__timer": timer}
    assert complaints_of(tmp_path, **units) == (0, [])
    assert complaints_of(tmp_path, conversations_backup__timer=timer.replace("01:00", "25:00"))[1]


def test_environment_file_configures_the_service(blocks):
    values = dict(line.split("=", 1) for line in blocks[0].splitlines())
    documented = {span for row in read_table(OPERATING, header="Variable") for span in re.findall(r"`(\w+)`", row[0])}
    assert values.keys() <= documented
    source = "import project.settings as s; print(s.LOG_REQUESTS, s.METRICS_TOKEN, s.CACHES['default']['LOCATION'])"
    command = [sys.executable, "-c", source]
    run = subprocess.run(command, cwd=ROOT, env=clean_environment(**values), capture_output=True, text=True)
    assert run.stdout == "True second-secret /var/cache/conversations\n", run.stderr
