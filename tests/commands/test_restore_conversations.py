from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from conversations.models import Conversation, DeletedConversation
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash, restore


def run(*ids: str) -> tuple[str, str]:
    stdout, stderr = StringIO(), StringIO()
    try:
        call_command("restore_conversations", *ids, stdout=stdout, stderr=stderr)
    except CommandError as error:
        stderr.write(str(error))
    return stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def deleted_conversation(alice) -> DeletedConversation:
    items = validate_items([{"role": "user", "content": "hello"}] * 2)
    return move_to_trash(Conversation.objects.create_with_items(owner=alice, items=items))


def test_deleted_conversation_is_restored_with_its_items(deleted_conversation):
    assert run(deleted_conversation.conversation_id) == (f"Restored {deleted_conversation} with 2 items.\n", "")
    assert Conversation.objects.get().items.count() == 2
    assert not DeletedConversation.objects.exists()


def test_restoring_twice_succeeds(deleted_conversation):
    run(deleted_conversation.conversation_id)
    assert run(deleted_conversation.conversation_id) == (f"{deleted_conversation} is already present.\n", "")
    assert Conversation.objects.count() == 1


def test_conversation_that_another_process_restores_first_is_already_present(deleted_conversation):
    others = [deleted_conversation]

    def restore_after_look_up(execute, *args):
        result = execute(*args)
        if others:
            restore(others.pop())
        return result

    with connection.execute_wrapper(restore_after_look_up):
        output = run(deleted_conversation.conversation_id)
    assert output == (f"{deleted_conversation} is already present.\n", "")
    assert Conversation.objects.get().items.count() == 2


def test_failures_are_reported_and_the_other_conversations_are_restored(deleted_conversation):
    stdout, stderr = run("conv_x", deleted_conversation.conversation_id)
    assert stdout == f"Restored {deleted_conversation} with 2 items.\n"
    assert stderr == "conv_x: no deleted conversation has this id.\n1 of 2 conversations were not restored."


def test_conversation_with_an_existing_id_is_not_restored(deleted_conversation, alice):
    Conversation(pk=deleted_conversation.conversation_id, owner=alice, created_at=deleted_conversation.created_at).save(
        force_insert=True
    )
    stdout, stderr = run(deleted_conversation.conversation_id)
    assert stdout == ""
    assert "Delete it first." in stderr
    assert DeletedConversation.objects.get() == deleted_conversation


def test_conversation_is_restored_to_the_named_owner(deleted_conversation, alice, bob):
    alice.delete()
    _stdout, stderr = run(deleted_conversation.conversation_id)
    assert "restore it to another user with `restore_conversations --owner`" in stderr
    assert run("--owner", "nobody", deleted_conversation.conversation_id) == ("", "There is no user 'nobody'.")
    stdout, stderr = run("--owner", "bob", deleted_conversation.conversation_id)
    assert (stdout, stderr) == (f"Restored {deleted_conversation} with 2 items.\n", "")
    assert Conversation.objects.get().owner == bob
