"""OpenAI's example request, sent by curl and by both official SDKs to a running service."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from openai import OpenAI

from conversations.models import Conversation
from tests.live.staff import Staff
from tests.waiting import SECONDS

EXAMPLE = Path(__file__).with_name("example.mjs")
BODY = {"metadata": {"topic": "demo"}, "items": [{"type": "message", "role": "user", "content": "Hello!"}]}
HELLO = [{"type": "input_text", "text": "Hello!"}]


def assert_stored(service, conversation_id):
    """Assert that the database has the item, and that the admin finds the conversation by topic = demo."""
    with service.database.open() as alias:
        item = Conversation.objects.using(alias).get(pk=conversation_id).items.get(position=1)
    assert (item.type, item.data["role"], item.data["content"]) == ("message", "user", HELLO)
    staff = Staff(service)
    change_list = "conversations/conversation/"
    assert conversation_id in staff.get(change_list, metadata_key="topic", metadata_value="demo")
    assert conversation_id not in staff.get(change_list, metadata_key="topic", metadata_value="other")
    assert "Hello!" in staff.get(f"{change_list}{conversation_id}/change/".replace("_", "_5F"))


def test_python_example_is_stored_and_found_in_the_admin(live_service):
    with OpenAI(base_url=live_service.base_url, api_key=live_service.secret) as client:
        conversation = client.conversations.create(**BODY)
    assert conversation.metadata == {"topic": "demo"}
    assert_stored(live_service, conversation.id)


def test_curl_example_is_stored_and_found_in_the_admin(live_service):
    command = [
        *("curl", "--silent", "--show-error", f"{live_service.base_url}/conversations"),
        *("-H", "Content-Type: application/json"),
        *("-H", f"Authorization: Bearer {live_service.secret}"),
        *("-d", json.dumps(BODY)),
    ]
    response = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=SECONDS).stdout)
    assert list(response) == ["id", "object", "created_at", "metadata"]
    assert (response["object"], response["metadata"]) == ("conversation", {"topic": "demo"})
    assert_stored(live_service, response["id"])


def test_javascript_example_is_stored_and_found_in_the_admin(live_service, node_directory):
    shutil.copy(EXAMPLE, node_directory)
    environment = os.environ | {"OPENAI_BASE_URL": live_service.base_url, "OPENAI_API_KEY": live_service.secret}
    node = subprocess.run(
        ["node", EXAMPLE.name], cwd=node_directory, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert node.returncode == 0, node.stderr
    responses = json.loads(node.stdout)
    created = responses["created"]
    assert created["metadata"] == {"topic": "demo"}
    assert responses["retrieved"] == created
    assert responses["updated"] == responses["afterDeletion"] == {**created, "metadata": {"topic": "demo", "step": "2"}}
    [hello] = responses["listed"]
    assert hello["content"] == HELLO
    assert [item["content"][0]["text"] for item in responses["added"]] == ["Hi.", "How are you?"]
    assert responses["item"] == responses["added"][1]
    assert responses["paged"] == [hello, *responses["added"]]
    deleted = responses["deleted"]
    assert (deleted["object"], deleted["deleted"]) == ("conversation.deleted", True)
    assert responses["error"] == {
        "isNotFound": True,
        "status": 404,
        "message": f"Conversation with id '{deleted['id']}' not found.",
        "hasRequestID": True,
    }
    assert_stored(live_service, created["id"])
