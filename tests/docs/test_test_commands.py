"""The commands for contributors. The suite does not run itself: of its commands, the folders and scripts must exist."""

import os
import shlex

import pytest
from django.db import connection

from tests.chromium import find_chromium
from tests.docs.pages import README, ROOT, TESTING, Block, read_blocks

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="uses SQLite, whatever the suite runs on")

BLOCKS = read_blocks(TESTING)


def block_with(text: str) -> Block:
    [block] = [block for block in BLOCKS if text in block.text]
    return block


def test_folders_and_scripts_of_pytest_commands_exist():
    commands = [shlex.split(line) for block in BLOCKS for line in block.text.splitlines() if "-m pytest" in line]
    assert commands
    for command in commands:
        assert ".venv/bin/python" in command
        for argument in command:
            if argument.startswith((".ci/", "tests/")):
                assert (ROOT / argument).exists(), argument


@pytest.mark.slow
def test_seed_command_runs(service_runner):
    runner = service_runner({"10000": "10"})
    runner.execute("python", "manage.py", "migrate", "--verbosity=0")
    runner.run(block_with("tests.seed"))
    assert runner.output == "Added 10 conversations.\n"


@pytest.mark.slow
def test_screenshots_command_runs(service_runner, tmp_path):
    if not find_chromium() and os.environ.get("CI") != "true":
        pytest.skip("no Chromium found")
    service_runner({"screenshots": f"screenshots --output {tmp_path}"}).run(block_with("tests.docs.screenshots"))
    assert {path.name for path in tmp_path.glob("*.png")} == {"list.png", "transcript.png"}


def test_every_other_block_is_a_pytest_command():
    tested = {block_with("tests.seed"), block_with("tests.docs.screenshots")}
    for block in set(BLOCKS) - tested:
        assert block.language == "sh"
        assert all("-m pytest" in line for line in block.text.splitlines()), str(block)


def test_ci_runs_the_test_command_of_the_readme():
    commands = [block.text for block in read_blocks(README) if block.text.endswith("pytest\n")]
    first = next(line for line in README.read_text().splitlines(keepends=True) if line.endswith("pytest\n"))
    assert commands == [first]
    assert "grep -m 1 'pytest$' README.md" in (ROOT / ".ci" / "run").read_text()
