"""`mypy --strict` with django-stubs accepts the code of a project that uses the whole Python API."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.db import connection

from tests.docs.pages import DOCS, ROOT, read_blocks
from tests.waiting import SECONDS

HERE = Path(__file__).parent / "typed"
MISTAKES = """
from django.http import HttpRequest
from conversations.models import Conversation

def start(request: HttpRequest) -> str:
    conversation = Conversation.objects.create_with_items(owner="ann")
    conversation.add_items(["Hello!"])
    return conversation.fork(before="msg_1")
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="does not depend on the database"),
]


@pytest.fixture
def check(pytestconfig):
    """Function that returns the output of mypy for Python files."""
    if not (find_spec("mypy") and find_spec("mypy_django_plugin") and find_spec("mypy_drf_plugin")):
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop("mypy and the stubs of Django and DRF are not installed")
    cache = pytestconfig.cache.mkdir("mypy")

    def check(*files: Path) -> str:
        command = [sys.executable, "-m", "mypy", "--config-file", HERE / "mypy.ini", "--cache-dir", cache, *files]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS)
        return run.stdout + run.stderr

    return check


def test_project_and_documentation_are_typed(check, tmp_path):
    blocks = read_blocks(DOCS / "django-integration.md", under="The Python API")
    documented = tmp_path / "documented.py"
    documented.write_text("\n".join(block.text for block in blocks if block.language == "python"))
    assert check(HERE / "views.py", documented).startswith("Success: no issues found in 2 source files")


def test_mistakes_are_found(check, tmp_path):
    mistakes = tmp_path / "mistakes.py"
    mistakes.write_text(MISTAKES)
    output = check(mistakes)
    for code in ("[arg-type]", "[list-item]", "[call-arg]", "[return-value]"):
        assert code in output, output
