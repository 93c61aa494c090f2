"""The page about model calls: its example, its lines for nginx and its table of settings."""

import ast

import pytest
from django.conf import settings as django_settings
from openai import OpenAI

from conversations.responses.conf import UpstreamSettings
from tests.docs.host_project import environment
from tests.docs.pages import DOCS, read_blocks, read_table
from tests.docs.runner import Runner
from tests.live.nginx import running_nginx
from tests.responses.items import stored_texts

PAGE = DOCS / "responses.md"


def test_example_runs_against_another_base_url(stage, tmp_path):
    replacements = {
        "http://127.0.0.1:8001/v1": stage.base_url,
        "sk-conv-…": stage.service.secret,
        "http://127.0.0.1:11434/v1": stage.upstream.url,
    }
    runner = Runner(tmp_path, environment=environment(), replacements=replacements)
    for block in read_blocks(PAGE):
        if block.language != "nginx":
            runner.run(block)
    runner.close()
    assert runner.environment["CONVERSATIONS_UPSTREAM_URL"] == stage.upstream.url
    assert runner.output.splitlines() == [
        "I see 1 items. Card 4111111111111111.",
        "I see 3 items. Card 4111111111111111.",
        "message user",
        "message assistant",
        "message user",
        "message assistant",
    ]
    [example] = [block for block in read_blocks(PAGE) if block.language == "python"]
    assert len(example.text.replace("\n\n", "\n").splitlines()) <= 10


def test_documented_lines_of_nginx_lead_model_calls_and_the_api_to_their_processes(stage, tmp_path):
    [block] = [block for block in read_blocks(PAGE) if block.language == "nginx"]
    lines = block.text.replace("127.0.0.1:8001", f"127.0.0.1:{stage.service.port + 1}")
    with running_nginx(tmp_path, service_port=stage.service.port, lines=lines) as port:
        base_url = f"http://127.0.0.1:{port}/v1"
        with OpenAI(base_url=base_url, api_key=stage.service.secret, max_retries=0) as client:
            conversation = client.conversations.create()
            arguments = {"model": "stall", "conversation": conversation.id, "input": "one"}
            stream = client.responses.create(**arguments, stream=True)
            next(iter(stream))  # nginx does not wait for the end of the stream.
            stage.upstream.released.set()
            assert list(stream)[-1].type == "response.completed"
            assert [model.id for model in client.models.list()] == ["echo"]
            assert len(stored_texts(client, conversation.id)) == 2


def test_every_setting_is_documented_with_its_default(settings):
    documented = {row[0].strip("`"): ast.literal_eval(row[1].strip("`")) for row in read_table(PAGE, header="Setting")}
    members = vars(UpstreamSettings)
    names = sorted(name for name in members if isinstance(members[name], property) and name != "is_openai")
    assert list(documented) == [f"CONVERSATIONS_{name.upper()}" for name in names]
    for name, default in documented.items():
        assert hasattr(django_settings, name)  # The service reads it from the environment.
        delattr(settings, name)
        assert getattr(UpstreamSettings(), name.removeprefix("CONVERSATIONS_").lower()) == default


@pytest.mark.parametrize(
    ("host", "is_openai"),
    [
        ("api.openai.com", True),
        ("API.openai.com:443", True),
        ("eu.api.openai.com", True),
        ("us.api.openai.com", True),
        ("chat.openai.com", False),
        ("notapi.openai.com", False),
        ("api.openai.com.example.org", False),
        ("ours.openai.azure.com/openai", False),
        ("127.0.0.1:11434", False),
    ],
)
def test_only_hosts_of_openai_get_ids_of_items(settings, host, is_openai):
    settings.CONVERSATIONS_UPSTREAM_URL = f"https://{host}/v1"
    assert UpstreamSettings().is_openai == is_openai


@pytest.mark.parametrize(
    ("setting", "value", "number"),
    [
        ("URL", "http://127.0.0.1:11434", 1),
        ("URL", "127.0.0.1:11434/v1", 1),
        ("URL", None, 1),
        ("SECONDS", 0, 2),
        ("MAX_BYTES", "1", 2),
        ("USERS", "alice", 3),
        ("OMITTED_TYPES", [1], 3),
    ],
)
def test_setting_that_cannot_work_is_an_error(settings, setting, value, number):
    from conversations.responses.checks import check_upstream

    settings.CONVERSATIONS_UPSTREAM_URL = "https://models.example.com/v1"
    assert check_upstream() == []
    setattr(settings, f"CONVERSATIONS_UPSTREAM_{setting}", value)
    assert [message.id for message in check_upstream()] == [f"conversations_responses.E00{number}"]
