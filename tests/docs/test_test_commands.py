"""The commands for contributors. The suite does not run itself: of its commands, the folders and scripts must exist."""

import os
import re
import shlex

import pytest
from django.db import connection

from tests.chromium import find_chromium
from tests.docs.pages import GUIDES, README, ROOT, TESTING, Block, read_blocks, read_code_spans

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="uses SQLite, whatever the suite runs on")

BLOCKS = read_blocks(TESTING)
OF_VIRTUAL_ENVIRONMENT = re.compile(r"(\w+=\S* )*(lint-imports|mypy|pip|pre-commit|pytest|python) ")


def block_with(text: str) -> Block:
    [block] = [block for block in BLOCKS if text in block.text]
    return block


def test_folders_and_scripts_of_pytest_commands_exist():
    blocks = [block for page in (*GUIDES, TESTING) for block in read_blocks(page)]
    commands = [shlex.split(line) for block in blocks for line in block.text.splitlines() if "-m pytest" in line]
    assert commands
    for command in commands:
        for argument in command:
            if argument.startswith((".ci/", "tests/")):
                assert (ROOT / argument).exists(), argument


@pytest.mark.parametrize("document", [*GUIDES, TESTING], ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_for_contributors_need_no_activated_environment(document):
    lines = [line for block in read_blocks(document) for line in block.text.splitlines()]
    assert [command for command in [*lines, *read_code_spans(document)] if OF_VIRTUAL_ENVIRONMENT.match(command)] == []


@pytest.mark.slow
def test_seed_command_runs_in_a_migrated_database_and_refuses_any_other(service_runner):
    runner = service_runner({".venv/bin/": "", "10000": "10"})
    with pytest.raises(AssertionError) as refused:
        runner.run(block_with("tests.seed"))
    assert str(refused.value).endswith(
        "\nCommandError: The database is not up to date. Run `python manage.py migrate` first.\n"
    )
    assert "Traceback" not in str(refused.value)
    runner.execute("python", "manage.py", "migrate", "--verbosity=0")
    runner.run(block_with("tests.seed"))
    assert runner.output == "Added 10 conversations.\n"


@pytest.mark.slow
def test_screenshots_command_runs(service_runner, tmp_path):
    if not find_chromium() and os.environ.get("CI") != "true":
        pytest.skip("no Chromium found")
    runner = service_runner({".venv/bin/": "", "screenshots": f"screenshots --output {tmp_path}"})
    runner.run(block_with("tests.docs.screenshots"))
    images = {path.name for path in (ROOT / "conversations/docs/images").iterdir()}
    assert {path.name for path in tmp_path.glob("*.png")} == images


def test_every_other_block_is_a_pytest_command():
    tested = {block_with("tests.seed"), block_with("tests.docs.screenshots")}
    tested.add(block_with("tests.live.faults"))  # tests/live/test_faults.py runs it.
    tested.add(block_with("tests.responses.faults"))  # tests/responses/test_faults.py runs it.
    for block in set(BLOCKS) - tested:
        assert block.language == "sh"
        assert all("-m pytest" in line for line in block.text.splitlines()), str(block)


def test_ci_runs_the_test_command_of_the_readme():
    commands = [block.text for block in read_blocks(README) if block.text.endswith("pytest\n")]
    first = next(line for line in README.read_text().splitlines(keepends=True) if line.endswith("pytest\n"))
    assert commands == [first]
    assert "grep -m 1 'pytest$' README.md" in (ROOT / ".ci" / "run").read_text()
