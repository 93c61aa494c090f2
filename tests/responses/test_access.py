"""Who may take turns, and what erasure leaves."""

import openai
import pytest

from tests.live.service import manage, running_service
from tests.responses.conftest import Stage
from tests.responses.items import execute, stored_texts


def test_conversation_of_another_user_is_not_found(client, stage):
    conversation = client.conversations.create()
    with stage.client(api_key=stage.service.create_api_key("bob")) as bob:
        errors = []
        for conversation_id in (conversation.id, "conv_unknown"):
            with pytest.raises(openai.NotFoundError) as raised:
                bob.responses.create(model="echo", conversation=conversation_id, input="one")
            errors.append(raised.value.body["message"].replace(conversation_id, "…"))
    assert errors == ["Conversation with id '…' not found."] * 2
    assert stored_texts(client, conversation.id) == []


def test_end_user_takes_turns_in_their_own_conversations_only(client, stage):
    conversation = client.conversations.create(extra_headers={"Conversations-User": "ann"})
    arguments = {"model": "echo", "conversation": conversation.id, "input": "one"}
    with pytest.raises(openai.NotFoundError):
        client.responses.create(**arguments, extra_headers={"Conversations-User": "ben"})
    assert client.responses.create(**arguments, extra_headers={"Conversations-User": "ann"}).status == "completed"


def test_key_that_only_reads_cannot_take_turns(client, stage):
    conversation = client.conversations.create()
    created = manage("create_api_key", "admin", "--scopes", "read", **stage.service.variables)
    assert created.returncode == 0, created.stderr
    with stage.client(api_key=created.stdout.splitlines()[-1]) as reader:
        with pytest.raises(openai.PermissionDeniedError):
            reader.responses.create(model="echo", conversation=conversation.id, input="one")
        assert len(list(reader.models.list())) == 1


def test_erasure_deletes_turns_and_leases(client, stage):
    kept = client.conversations.create()
    conversation = client.conversations.create(extra_headers={"Conversations-User": "erased"})
    for each in (kept, conversation):
        client.responses.create(model="echo", conversation=each.id, input="one")
    insert = (
        "INSERT INTO conversations_responses_lease (conversation_id, token, request_key, expires_at)"
        " VALUES (%s, 'old', '', '2020-01-01 00:00:00')"
    )
    execute(stage, insert, [conversation.id])
    erased = manage("erase_person", "--end-user", "erased", "--no-input", **stage.service.variables)
    assert erased.returncode == 0, erased.stderr
    for table in ("turn", "lease"):
        count = f"SELECT COUNT(*) FROM conversations_responses_{table} WHERE conversation_id = %s"
        assert execute(stage, count, [conversation.id]) == [(0,)]
    assert len(stored_texts(client, kept.id)) == 2


HISTORY = """
from conversations.models import Conversation
from conversations.responses.history import build_history
print([item.get("id") for item in build_history(Conversation.objects.get(pk="{id}"), using="default")])
"""


def test_ids_are_kept_only_of_items_that_openai_has_stored(client, stage):
    conversation = client.conversations.create(items=[{"role": "user", "content": "zero"}])
    answers = [client.responses.create(model="echo", conversation=conversation.id, input=text) for text in ("a", "b")]
    update = "UPDATE conversations_responses_turn SET has_upstream_ids = %s WHERE conversation_id = %s AND {}"
    execute(stage, update.format("last_position = 5"), [True, conversation.id])

    def history(url: str) -> str:
        variables = {**stage.service.variables, "CONVERSATIONS_UPSTREAM_URL": url}
        code = HISTORY.format(id=conversation.id)
        return manage("shell", "-c", code, **variables).stdout.splitlines()[-1]

    none: list[str | None] = [None] * 4
    assert history("https://api.openai.com/v1") == str([*none, answers[1].output[0].id])
    assert history("https://models.example.com/v1") == str([*none, None])
    execute(stage, "UPDATE conversations_responses_turn SET started_at = '2020-01-01 00:00:00'", [])
    assert history("https://api.openai.com/v1") == str([*none, None])


TURNS = """
from django.utils import timezone
from conversations.models import Conversation
from conversations.responses.turns import PendingTurn, begin_turn, finish_turn, new_token
conversation = Conversation.objects.get(pk="{id}")
found = []
for members in ({{}}, {{"store": True}}, {{"store": False}}):
    turn = PendingTurn(
        conversation, user=conversation.owner, record=None, items=[], token=new_token(), started_at=timezone.now()
    )
    begin_turn(turn)
    found.append(finish_turn(turn, {{"status": "completed", "output": [], **members}}).has_upstream_ids)
print(found)
"""


@pytest.mark.parametrize(
    ("url", "has_upstream_ids"),
    [("https://api.openai.com/v1", [True, True, False]), ("https://models.example.com/v1", [False] * 3)],
)
def test_turn_has_ids_of_the_upstream_if_openai_has_stored_it(client, stage, url, has_upstream_ids):
    conversation = client.conversations.create()
    variables = {**stage.service.variables, "CONVERSATIONS_UPSTREAM_URL": url}
    shell = manage("shell", "-c", TURNS.format(id=conversation.id), **variables)
    assert shell.stdout.splitlines()[-1] == str(has_upstream_ids), shell.stderr


def test_model_calls_count_towards_the_rate_limit(stage, tmp_path, django_db_blocker):
    variables = {"CONVERSATIONS_UPSTREAM_URL": stage.upstream.url, "CONVERSATIONS_RATE_LIMIT": "3/day"}
    with running_service(tmp_path, django_db_blocker, **variables) as service:
        limited = Stage(service, stage.upstream)
        with limited.client() as client:
            conversation = client.conversations.create()
            arguments = {"model": "echo", "conversation": conversation.id, "input": "one"}
            client.responses.create(**arguments)
            client.models.list()
            asked = len(stage.upstream.requests)
            for call in (lambda: client.responses.create(**arguments), client.models.list):
                with pytest.raises(openai.RateLimitError) as raised:
                    call()
                assert raised.value.code == "rate_limit_exceeded"
                headers = raised.value.response.headers
                assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("3", "0")
                assert int(headers["retry-after"]) > 0
    assert len(stage.upstream.requests) == asked
