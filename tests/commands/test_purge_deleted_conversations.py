import gzip
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from conversations.models import Conversation, DeletedConversation, DeletedPart
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash

PLANTED = "plantedword"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def run(*arguments: str, stderr: StringIO | None = None) -> str:
    stdout = StringIO()
    call_command("purge_deleted_conversations", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue()


@pytest.fixture
def expired_conversation(alice, settings) -> DeletedConversation:
    settings.CONVERSATIONS_FULL_TEXT = True
    items = validate_items([{"role": "user", "content": f"say {PLANTED} twice"}] * 3)
    conversation = Conversation.create_with_items(owner=alice, metadata={"topic": PLANTED}, items=items)
    assert tables_with(PLANTED) >= {
        "conversations_conversation",
        "conversations_item",
        "conversations_itemtext",
        "conversations_metadatapair",
    }
    deleted = move_to_trash(conversation)
    DeletedConversation.objects.update(deleted_at=timezone.now() - timedelta(days=30, seconds=1))
    return deleted


def tables_with(word: str) -> set[str]:
    """Return the tables, index tables included, with the word in any column, compressed or not."""
    tables = set()
    with connection.cursor() as cursor:
        names = [name for name in connection.introspection.table_names(cursor) if name.startswith("conversations_")]
        for name in names:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(name)}")
            if any(word in _text(value) for row in cursor.fetchall() for value in row):
                tables.add(name)
    if word.encode() in gzip.decompress(b"".join(_parts())):
        tables.add(DeletedPart._meta.db_table)
    return tables


def _parts() -> list[bytes]:
    return [bytes(content) for content in DeletedPart.objects.order_by("number").values_list("content", flat=True)]


def _text(value: object) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def test_planted_text_is_in_no_table_afterwards(expired_conversation):
    assert tables_with(PLANTED) >= {"conversations_deletedconversation", "conversations_deletedpart"}
    assert run() == "Purged 1 deleted conversation.\n"
    assert tables_with(PLANTED) == set()


def test_dry_run_prints_the_number_and_purges_nothing(expired_conversation, alice):
    move_to_trash(Conversation.create_with_items(owner=alice))
    assert run("--dry-run") == "1 deleted conversation would be purged.\n"
    assert DeletedConversation.objects.count() == DeletedPart.objects.count() == 2


def test_restorable_conversations_are_not_purged(expired_conversation, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 31
    assert run() == "Purged 0 deleted conversations.\n"
    assert DeletedConversation.objects.get() == expired_conversation


def test_progress_is_shown_only_on_a_terminal(expired_conversation):
    terminal, file = Terminal(), StringIO()
    run(stderr=terminal)
    run(stderr=file)
    assert terminal.getvalue().endswith("\r1 of 1 deleted conversations\n")
    assert file.getvalue() == ""
