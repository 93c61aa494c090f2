"""The code blocks of the README, run in a new folder as a newcomer runs them. They install packages from the index."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from tests.docs.host_project import environment
from tests.docs.pages import README, ROOT, Block, read_blocks
from tests.docs.runner import Runner
from tests.live.service import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="uses SQLite, whatever the suite runs on")

SOURCE = ("conversations", "project", "templates", "manage.py", "pyproject.toml", "README.md", "LICENSE")
INTEGRATION = read_blocks(README, under="The app in your own project")
# The gate runs the test command, which can't run within itself (see test_test_commands).
START, TEST, *USE = [block for block in read_blocks(README) if block not in INTEGRATION]


@pytest.fixture
def clone(tmp_path) -> Path:
    """A folder with the files of a new clone that the service needs."""
    directory = tmp_path / "clone"
    directory.mkdir()
    for name in SOURCE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, directory / name)
    return directory


@contextmanager
def running(start: Block, directory: Path, *, port: int) -> Iterator[str]:
    """Run the block until the service answers, and yield the `curl` command that it prints."""
    stdout = directory / "stdout"
    with stdout.open("w") as file:
        command = f"{start.text.strip()} --port {port}"
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=directory, env=environment(PYTHONPATH=""), stdout=file, start_new_session=True
        )
    try:
        wait_until(lambda: "Stop with Ctrl-C" in stdout.read_text() or process.poll() is not None, seconds=600)
        assert process.poll() is None, stdout.read_text()
        [curl] = re.findall("^curl .*", stdout.read_text(), re.MULTILINE)
        yield f"{curl} --retry 60 --retry-delay 1 --retry-connrefused"
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=600)


@pytest.mark.slow
def test_a_newcomer_starts_the_service_and_uses_it(clone):
    assert TEST.text.endswith("pytest\n")
    port = free_port()
    with running(START, clone, port=port) as curl:
        runner = Runner(clone, environment=environment(), replacements={"127.0.0.1:8000": f"127.0.0.1:{port}"})
        runner.execute("bash", "-c", curl)
        runner.environment["CONVERSATIONS_KEY"] = re.findall(r"Bearer (\S+?)'", curl)[0]
        for block in USE:
            runner.run(block)
        runner.close()
    assert re.fullmatch(r"(conv_[0-9a-f]{48} \{'topic': 'demo'\}\n){2}", runner.output)
