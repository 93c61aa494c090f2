"""A service with redactors, few users, short time-outs and limits."""

from collections.abc import Iterator

import openai
import pytest

from tests.live.service import running_service
from tests.responses.conftest import Stage
from tests.responses.fake_upstream import running_upstream
from tests.responses.items import stored_texts


@pytest.fixture(scope="session")
def stage(tmp_path_factory, django_db_blocker) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("strict")
    with running_upstream() as upstream:
        variables = {
            "CONVERSATIONS_UPSTREAM_URL": upstream.url,
            "CONVERSATIONS_UPSTREAM_IDLE_SECONDS": "1",
            "CONVERSATIONS_UPSTREAM_MAX_BYTES": "20000",
            "CONVERSATIONS_UPSTREAM_OMITTED_TYPES": "reasoning,web_search_call",
            "CONVERSATIONS_UPSTREAM_USERS": "admin,carol",
            "DJANGO_SETTINGS_MODULE": "tests.responses.strict_settings",
        }
        with running_service(directory, django_db_blocker, **variables) as service:
            yield Stage(service, upstream)


def test_redactors_apply_to_what_is_stored_and_to_repetitions(client, stage):
    conversation = client.conversations.create()
    arguments = {
        "model": "echo",
        "conversation": conversation.id,
        "input": "My card is 5555555555554444.",
        "instructions": "The card is 5555555555554444.",
        "extra_headers": {"Idempotency-Key": "redacted"},
    }
    answer = client.responses.create(**arguments)
    assert answer.output_text == "I see 1 items. Card 4111111111111111."
    assert stage.upstream.requests[-1]["json"]["input"][0]["content"] == "My card is 5555555555554444."
    stored = ["My card is [card].", "I see 1 items. Card [card]."]
    assert stored_texts(client, conversation.id) == stored
    repeated = client.responses.create(**arguments)
    assert (repeated.output_text, repeated.instructions, repeated.usage) == (stored[1], None, answer.usage)


@pytest.mark.parametrize("is_stream", [False, True])
def test_upstream_that_falls_silent_is_a_time_out(client, is_stream):
    conversation = client.conversations.create()
    arguments = {"model": "stall", "conversation": conversation.id, "input": "one"}
    if is_stream:
        last = list(client.responses.create(**arguments, stream=True))[-1]
        assert (last.type, last.response.error.code) == ("response.failed", "upstream_timeout")
    else:
        with pytest.raises(openai.InternalServerError) as raised:
            client.responses.create(**arguments)
        assert (raised.value.status_code, raised.value.code) == (504, "upstream_timeout")
    assert stored_texts(client, conversation.id) == []
    client.responses.create(model="echo", conversation=conversation.id, input="one")


@pytest.mark.parametrize("is_stream", [False, True])
def test_answer_beyond_the_limit_is_not_stored(client, is_stream):
    conversation = client.conversations.create()
    arguments = {"model": "echo", "conversation": conversation.id, "input": "one", "instructions": "x" * 30_000}
    if is_stream:
        assert list(client.responses.create(**arguments, stream=True))[-1].type == "response.failed"
    else:
        with pytest.raises(openai.InternalServerError, match="more than 20000 bytes"):
            client.responses.create(**arguments)
    assert stored_texts(client, conversation.id) == []


def test_types_that_the_upstream_refuses_are_left_out(client, stage):
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    conversation = client.conversations.create(items=[{"role": "user", "content": "one"}, reasoning])
    client.responses.create(model="echo", conversation=conversation.id, input="two")
    assert [item["type"] for item in stage.upstream.requests[-1]["json"]["input"]] == ["message", "message"]
    assert "reasoning" in stored_texts(client, conversation.id)


def test_only_users_in_the_setting_may_call_models(client, stage):
    asked = len(stage.upstream.requests)
    for name, is_allowed in (("bob", False), ("carol", True)):
        with stage.client(api_key=stage.service.create_api_key(name)) as other:
            conversation = other.conversations.create()
            if is_allowed:
                other.responses.create(model="echo", conversation=conversation.id, input="one")
                continue
            for call in (other.models.list, lambda: other.responses.create(model="echo", conversation="conv_1")):
                with pytest.raises(openai.PermissionDeniedError) as raised:
                    call()
                assert raised.value.code == "model_calls_forbidden"
    assert len(stage.upstream.requests) == asked + 1
    assert "authorization" not in stage.upstream.requests[-1]["headers"]  # The service has no key for the upstream.


def test_silent_upstream_of_a_request_without_a_conversation_is_a_time_out(client):
    with pytest.raises(openai.InternalServerError) as raised:
        client.responses.create(model="stall", input="one")
    assert (raised.value.status_code, raised.value.code) == (504, "upstream_timeout")
