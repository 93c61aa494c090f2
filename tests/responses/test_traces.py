"""Content of a turn outlives neither the items that it may show nor the conversation, and failed turns are purged."""

from datetime import timedelta

import pytest
from django.utils import timezone
from openai.types.conversations import Conversation

from tests.live.service import manage
from tests.responses.items import execute, stored_texts

EXPIRED_LEASE = (
    "INSERT INTO conversations_responses_lease (conversation_id, token, request_key, expires_at)"
    " VALUES (%s, 'dead', '', '2020-01-01 00:00:00')"
)
OFF = {"CONVERSATIONS_UPSTREAM_URL": ""}


@pytest.fixture
def marker() -> str:
    return f"planted{timezone.now().timestamp()}"


@pytest.fixture
def turn(client, marker):
    """A turn of a conversation with an older item, and the arguments of its request."""
    conversation = client.conversations.create(items=[{"role": "user", "content": "older"}], metadata={"is": marker})
    arguments = {
        "model": "echo",
        "conversation": conversation.id,
        "input": "one",
        "instructions": marker,
        "extra_headers": {"Idempotency-Key": marker},
    }
    client.responses.create(**arguments)
    return arguments


def run(stage, code, **variables):
    ran = manage("shell", "-c", code, **{**stage.service.variables, **variables})
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()[-1]


def count_responses(stage, marker):
    sql = "SELECT COUNT(*) FROM conversations_responses_storedresponse WHERE data LIKE %s"
    return execute(stage, sql.replace("data", "CAST(data AS char(9999))"), [f"%{marker}%"])[0][0]


def item_ids(client, turn):
    return [item.id for item in client.conversations.items.list(turn["conversation"], order="asc")]


def rewind(client, stage, turn):
    first = item_ids(client, turn)[0]
    client.post(f"/conversations/{turn['conversation']}/rewind", cast_to=Conversation, body={"after": first})


def delete_item(index):
    def delete(client, stage, turn):
        client.conversations.items.delete(item_ids(client, turn)[index], conversation_id=turn["conversation"])

    return delete


def redact(index):
    def redact_item(client, stage, turn):
        conversation, item = turn["conversation"], item_ids(client, turn)[index]
        code = (
            "from conversations.models import Conversation\n"
            "from conversations.retention.redaction import redact_item\n"
            f"conversation = Conversation.objects.get(pk='{conversation}')\n"
            f"redact_item(conversation, '{item}', reason='wrong', redacted_by='a test')\n"
            "print('done')"
        )
        assert run(stage, code) == "done"

    return redact_item


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(rewind, id="rewind"),
        pytest.param(delete_item(0), id="delete an older item"),
        pytest.param(delete_item(1), id="delete the input"),
        pytest.param(delete_item(2), id="delete the output"),
        pytest.param(redact(0), id="redact an older item"),
        pytest.param(redact(2), id="redact the output"),
    ],
)
def test_response_goes_with_an_item_that_it_may_show_and_a_repetition_asks_the_model(
    client, stage, turn, marker, change
):
    repeated = client.responses.with_raw_response.create(**turn)
    assert repeated.headers["idempotency-replayed"] == "true"
    assert count_responses(stage, marker) == 1
    change(client, stage, turn)
    assert count_responses(stage, marker) == 0
    asked = len(stage.upstream.requests)
    again = client.responses.with_raw_response.create(**turn)
    assert "idempotency-replayed" not in again.headers
    assert len(stage.upstream.requests) == asked + 1
    assert stored_texts(client, turn["conversation"])[-1] == again.parse().output_text


def test_redacted_item_is_sent_to_the_model_without_what_only_this_server_knows(client, stage, turn):
    redact(1)(client, stage, turn)
    client.responses.create(model="echo", conversation=turn["conversation"], input="two")
    text = {"type": "input_text", "text": "[Redacted: wrong]"}
    sent = stage.upstream.requests[-1]["json"]["input"][1]
    assert sent == {"type": "message", "status": "completed", "content": [text], "role": "user"}


def test_redacted_item_is_sent_to_openai_without_the_id_of_the_original(client, stage, turn):
    execute(stage, "UPDATE conversations_responses_turn SET has_upstream_ids = %s", [True])
    code = (
        "from conversations.models import Conversation\n"
        "from conversations.responses.history import build_history\n"
        f"conversation = Conversation.objects.get(pk='{turn['conversation']}')\n"
        "print(['id' in item for item in build_history(conversation, using='default')])"
    )
    openai = {"CONVERSATIONS_UPSTREAM_URL": "https://api.openai.com/v1"}
    assert run(stage, code, **openai) == "[False, False, True]"
    redact(2)(client, stage, turn)
    assert run(stage, code, **openai) == "[False, False, False]"


def test_item_after_the_turn_is_deleted_without_the_response(client, stage, turn, marker):
    item = client.conversations.items.create(turn["conversation"], items=[{"role": "user", "content": "later"}])
    client.conversations.items.delete(item.data[0].id, conversation_id=turn["conversation"])
    assert count_responses(stage, marker) == 1


DELETE = "from conversations.models import Conversation\nrow = Conversation.objects.get(pk='{}')\n"
ROWS = {
    "trash": DELETE + "from conversations.trash import move_to_trash\nmove_to_trash(row)\nprint('done')",
    "verb": DELETE + "from conversations.deletion import delete_conversation\ndelete_conversation(row)\nprint('done')",
    "queryset": DELETE + "Conversation.objects.filter(pk=row.pk).delete()\nprint('done')",
}


def count_rows(stage, conversation_id):
    sql = "SELECT COUNT(*) FROM conversations_responses_{} WHERE conversation_id = %s"
    return [execute(stage, sql.format(table), [conversation_id])[0][0] for table in ("lease", "turn")]


@pytest.mark.parametrize("variables", [pytest.param({}, id="on"), pytest.param(OFF, id="switched off")])
@pytest.mark.parametrize("way", ROWS)
def test_turns_are_deleted_with_their_conversation(stage, turn, marker, way, variables):
    execute(stage, EXPIRED_LEASE, [turn["conversation"]])
    assert count_rows(stage, turn["conversation"]) == [1, 1]
    assert run(stage, ROWS[way].format(turn["conversation"]), **variables) == "done"
    assert count_rows(stage, turn["conversation"]) == [0, 0]
    assert count_responses(stage, marker) == 0


def find_places(stage, marker):
    return run(stage, f"from conversations.retention.traces import find_text\nprint(sorted(find_text('{marker}')))")


def test_marker_of_a_turn_is_in_no_table_after_deletion_and_purge(client, stage, turn, marker):
    assert "conversations_responses_storedresponse.data" in find_places(stage, marker)
    client.conversations.delete(turn["conversation"])
    assert "conversations_responses" not in find_places(stage, marker)
    execute(stage, "UPDATE conversations_deletedconversation SET deleted_at = '2020-01-01 00:00:00'", [])
    purged = manage("purge_deleted_conversations", **stage.service.variables)
    assert purged.returncode == 0, purged.stderr
    assert find_places(stage, marker) == "[]"


@pytest.mark.parametrize("variables", [pytest.param({}, id="on"), pytest.param(OFF, id="switched off")])
def test_erasure_of_a_person_erases_their_turns(stage, turn, marker, variables):
    erased = manage(
        "erase_person", "--metadata", "is", marker, "--no-input", **{**stage.service.variables, **variables}
    )
    assert erased.returncode == 0, erased.stderr
    assert count_rows(stage, turn["conversation"]) == [0, 0]
    assert find_places(stage, marker) == "[]"


def test_failed_turns_are_purged_after_their_lifetime_and_others_stay(client, stage, turn):
    statuses = "SELECT status FROM conversations_responses_turn WHERE conversation_id = %s ORDER BY id"
    for _ in range(2):
        client.responses.create(model="fail", conversation=turn["conversation"], input="two")
    assert execute(stage, statuses, [turn["conversation"]]) == [("completed",), ("failed",), ("failed",)]
    rows = "SELECT id FROM conversations_responses_turn WHERE conversation_id = %s ORDER BY id"
    ids = [row[0] for row in execute(stage, rows, [turn["conversation"]])]
    old = str(timezone.now() - timedelta(days=31)).partition(".")[0]
    update = "UPDATE conversations_responses_turn SET finished_at = %s WHERE id IN (%s, %s)"
    execute(stage, update, [old, *ids[:2]])
    execute(stage, EXPIRED_LEASE, [turn["conversation"]])
    ran = manage("run_periodic_tasks", **stage.service.variables)
    assert ran.returncode == 0, ran.stderr
    assert execute(stage, statuses, [turn["conversation"]]) == [("completed",), ("failed",)]
    assert count_rows(stage, turn["conversation"]) == [0, 2]
