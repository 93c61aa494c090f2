"""Libraries that know conversations only through `responses.create`: each takes two turns, in each way that it has.

LIBRARIES_PYTHON names interpreters that have the libraries for Python, separated by colons.
"""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import install_node_packages
from tests.responses.items import stored_texts
from tests.waiting import SECONDS

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).with_name("libraries")
MODES = {"plain": (1, 3), "stream": (1, 3), "tools": (5, 11)}  # how many items the model gets in the end of each turn
NODE_PACKAGES = (
    "@ai-sdk/openai@^3",
    "@langchain/core@^1",
    "@langchain/openai@^1",
    "@openai/agents@^0.20",
    "ai@^6",
    "openai@^7",
    "zod@^4",
)
OFFLINE = {"HAYSTACK_TELEMETRY_ENABLED": "false", "LITELLM_LOCAL_MODEL_COST_MAP": "true"}


@cache
def find_python(module: str) -> str:
    """Return an interpreter that has the module. Skip the test if there is none."""
    check = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    for python in os.environ.get("LIBRARIES_PYTHON", sys.executable).split(":"):
        if subprocess.run([python, "-c", check], capture_output=True).returncode == 0:
            return python
    pytest.skip(f"{module} is not installed: install the dependency groups `libraries…`, and set LIBRARIES_PYTHON")


@pytest.fixture(scope="session")
def libraries_directory(pytestconfig) -> Path:
    return install_node_packages(pytestconfig, "libraries-javascript", NODE_PACKAGES)


@pytest.fixture
def run(stage):
    """Return a function that runs a script, and returns the answers that it printed."""

    def run(*command: str, directory: Path = SCRIPTS) -> list[str]:
        names = {"OPENAI_BASE_URL": stage.base_url, "OPENAI_API_KEY": stage.service.secret}
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | OFFLINE | names
        ran = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=SECONDS)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout.splitlines()[-1])

    return run


def check_turns(client, conversation_id, mode, answers):
    texts = [f"I see {count} items. Card 4111111111111111." for count in MODES[mode]]
    calls = ["function_call", "function_call", "function_call_output", "function_call_output"] * (mode == "tools")
    assert answers == texts
    assert stored_texts(client, conversation_id) == ["one", *calls, texts[0], "two", *calls, texts[1]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("script", "module"),
    [
        ("agent_framework_chat", "agent_framework_openai"),
        ("agent_pydantic_ai", "pydantic_ai"),
        ("haystack_chat", "haystack"),
        ("langchain_chat", "langchain_openai"),
        ("litellm_responses", "litellm"),
        ("llama_index_llm", "llama_index.llms.openai"),
    ],
)
def test_python_library_takes_two_turns(client, run, script, module, mode):
    python, conversation = find_python(module), client.conversations.create()
    answers = run(python, f"{script}.py", mode, conversation.id)
    check_turns(client, conversation.id, mode, answers)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("script", ["agents", "langchain", "vercel"])
def test_javascript_library_takes_two_turns(client, run, libraries_directory, script, mode):
    shutil.copy(SCRIPTS / f"{script}.mjs", libraries_directory)
    conversation = client.conversations.create()
    answers = run("node", f"{script}.mjs", mode, conversation.id, directory=libraries_directory)
    check_turns(client, conversation.id, mode, answers)


@pytest.mark.parametrize("mode", ["plain", "stream"])
def test_instructor_gets_an_object_by_a_tool_of_its_own(client, run, mode):
    python, conversation = find_python("instructor"), client.conversations.create()
    assert run(python, "instructor_client.py", mode, conversation.id) == ["1", "3"]
    assert stored_texts(client, conversation.id) == ["one", "function_call", "two", "function_call"]
