"""Requests of the official client for JavaScript whose answers are lost, so that it repeats them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conversations.models import Conversation
from tests.waiting import SECONDS

SCRIPT = Path(__file__).with_name("lost_answers.mjs")


@pytest.mark.parametrize(("has_key", "lost"), [("true", "7"), ("false", "5")])
def test_javascript_client_that_loses_answers_writes_everything_once(live_service, node_directory, has_key, lost):
    shutil.copy(SCRIPT, node_directory)
    username = f"loses-answers-in-javascript-{has_key}"
    secret = live_service.create_api_key(username)
    node = subprocess.run(
        ["node", SCRIPT.name, has_key],
        cwd=node_directory,
        env=os.environ | {"OPENAI_BASE_URL": live_service.base_url, "OPENAI_API_KEY": secret},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert node.returncode == 0, node.stderr
    conversation_id, *counts = node.stdout.split()
    assert counts == [lost, lost]
    with live_service.database.open() as alias:
        [stored] = Conversation.objects.using(alias).filter(owner__username=username)
        assert stored.pk == conversation_id
        assert (stored.metadata, stored.item_count, stored.last_position) == ({"topic": "second"}, 4, 5)
