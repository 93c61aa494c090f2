from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from conversations.models import Conversation, DeletedConversation
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash


def run(*ids: str) -> tuple[str, str]:
    stdout, stderr = StringIO(), StringIO()
    try:
        call_command("restore_conversations", *ids, stdout=stdout, stderr=stderr)
    except CommandError as error:
        stderr.write(str(error))
    return stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def deleted(alice) -> DeletedConversation:
    items = validate_items([{"role": "user", "content": "hello"}] * 2)
    return move_to_trash(Conversation.create_with_items(owner=alice, items=items))


def test_what_was_deleted_is_there_again(deleted):
    assert run(deleted.conversation_id) == (f"Restored {deleted} with 2 items.\n", "")
    assert Conversation.objects.get().items.count() == 2
    assert not DeletedConversation.objects.exists()


def test_what_is_not_restored_is_named_and_the_others_are(deleted):
    told, faults = run("conv_x", deleted.conversation_id)
    assert told == f"Restored {deleted} with 2 items.\n"
    assert faults == "conv_x: there is no deleted conversation with this id.\n1 of 2 were not restored."


def test_one_that_is_there_again_is_kept_as_it_is(deleted, alice):
    Conversation(pk=deleted.conversation_id, owner=alice, created_at=deleted.created_at).save(force_insert=True)
    told, faults = run(deleted.conversation_id)
    assert told == ""
    assert "Delete it first." in faults
    assert DeletedConversation.objects.get() == deleted
