"""The session of the Agents SDK for JavaScript, in runs that Node.js makes against a running service."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from openai import OpenAI

from tests.live.service import running_service
from tests.waiting import SECONDS

SCRIPT = Path(__file__).with_name("agents_run.mjs")
# Of the first run: a question, reasoning, 6 hosted calls, 31 calls with their outputs, reasoning, an answer.
ITEMS = 72


@pytest.fixture(scope="module")
def agents_service(tmp_path_factory, django_db_blocker):
    """A running service that is configured for agents, as the documentation recommends."""
    settings = {
        "CONVERSATIONS_MAX_ITEMS_PER_REQUEST": str(ITEMS),
        "CONVERSATIONS_DEFAULT_INCLUDE": "reasoning.encrypted_content,file_search_call.results,"
        "code_interpreter_call.outputs,computer_call_output.output.image_url",
    }
    with running_service(tmp_path_factory.mktemp("agents"), django_db_blocker, **settings) as service:
        yield service


def run_agent(service, node_directory):
    shutil.copy(SCRIPT, node_directory)
    environment = os.environ | {"OPENAI_BASE_URL": service.base_url, "OPENAI_API_KEY": service.secret}
    node = subprocess.run(
        ["node", SCRIPT.name], cwd=node_directory, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert node.returncode == 0, node.stderr
    return json.loads(node.stdout)


def list_items(service, conversation_id):
    with OpenAI(base_url=service.base_url, api_key=service.secret) as client:
        return [item.to_dict() for item in client.conversations.items.list(conversation_id, order="asc")]


def without_ids(items):
    return [{name: value for name, value in item.items() if name != "id"} for item in items]


def test_turns_with_thirty_parallel_calls_are_stored_and_replayed_completely(agents_service, node_directory):
    run = run_agent(agents_service, node_directory)
    assert "error" not in run
    stored = list_items(agents_service, run["conversation"])
    assert len(stored) == ITEMS + 3 + 2
    assert [item | members for item, members in zip(stored, run["produced"], strict=True)] == stored
    # The session reads the output of a computer call as an item of an unknown type, and the SDK then drops the call.
    replayable = [item for item in run["produced"][:-1] if item.get("type") != "computer_call"]
    replayed = without_ids(run["replayed"])
    assert [item | members for item, members in zip(replayed, replayable, strict=True)] == replayed
    hosted = stored[2:9]
    assert [item["id"].partition("_")[0] for item in hosted] == ["ws", "fs", "ci", "ig", "mcpl", "mcp", "cu"]
    image, mcp_call = hosted[3], hosted[5]
    assert (image["result"], "output" in mcp_call) == (None, False)  # The session does not send them.


def test_run_of_more_items_than_the_limit_raises_an_error_that_names_the_limit(live_service, node_directory):
    run = run_agent(live_service, node_directory)
    assert run["error"] == {
        "status": 400,
        "message": "400 Invalid 'items': array too long. Expected an array with maximum length 20, "
        f"but got an array with length {ITEMS} instead.",
    }
    assert list_items(live_service, run["conversation"]) == []
