"""The code blocks of the page for clients, run against a live service."""

import pytest
from openai import NotFoundError, OpenAI

from conversations.models import Conversation
from conversations.schema.query.parser import parse_query
from tests.docs.host_project import environment
from tests.docs.pages import DOCS, read_blocks
from tests.docs.runner import Runner

USERNAME = "reader-of-clients"


def test_base_url_without_the_version_raises_an_error_that_names_the_right_one(live_service):
    base_url = live_service.base_url.removesuffix("/v1")
    with OpenAI(base_url=base_url, api_key=live_service.secret) as client, pytest.raises(NotFoundError) as raised:
        client.conversations.create()
    assert f"The API is at {live_service.base_url}: set this as your client's base URL." in raised.value.message


@pytest.mark.slow
def test_every_block_for_clients_runs(live_service, node_directory, tmp_path):
    replacements = {
        "http://127.0.0.1:8000/v1": live_service.base_url,
        "sk-conv-…": live_service.create_api_key(USERNAME),
    }
    runner = Runner(tmp_path, environment=environment(), replacements=replacements, node_directory=node_directory)
    for block in read_blocks(DOCS / "clients.md"):
        runner.run(block)
    runner.close()
    with live_service.database.open() as alias:
        created = Conversation.objects.using(alias).filter(owner__username=USERNAME)
        # curl creates three, Python two and a fork, and C# and the Python session one each. Each of the five JavaScript
        # blocks runs after those before it: the first one creates five, that of an end user four, of the session two.
        assert created.count() == 19
        assert created.matching(parse_query("topic:demo")).count() == 12
        assert created.filter(end_user="ann").count() == 6
