import gzip
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from conversations.models import AccessRecord, Conversation, DeletedConversation, DeletedPart, SavedView
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
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"topic": PLANTED}, items=items)
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
    first, *about_index, times, checked, last = run("--marker", PLANTED).splitlines()
    assert first == "Purged 1 deleted conversation."
    assert len(about_index) == (connection.vendor != "sqlite")
    assert re.fullmatch(r"Begun \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, ended \d\d:\d\d:\d\d UTC\.", times)
    assert checked.startswith("Checked: no table refers to the 1 id of these conversations any more.")
    assert last == "Checked: the marker is in no table."
    assert tables_with(PLANTED) == set()


def plant_in_metadata(owner):
    Conversation.objects.create_with_items(owner=owner, metadata={"word": PLANTED})


def plant_in_item(owner):
    item = {"role": "user", "content": f"a “{PLANTED}”"}
    Conversation.objects.create_with_items(owner=owner, items=[item])


def plant_in_trash(owner):
    move_to_trash(Conversation.objects.create_with_items(owner=owner, items=[{"role": "user", "content": PLANTED}]))


def plant_in_log(owner):
    AccessRecord.objects.record(user=owner, action=AccessRecord.Action.SEARCH, query=PLANTED)


def plant_in_view(owner):
    SavedView.objects.create(owner=owner, name=PLANTED)


def plant_in_another_app(owner):
    LogEntry.objects.create(user=owner, object_repr=PLANTED, action_flag=CHANGE)


@pytest.mark.parametrize(
    ("plant", "place"),
    [
        (plant_in_metadata, "conversations_conversation.metadata, conversations_metadatapair.value"),
        (plant_in_item, "conversations_item.data, conversations_itemtext.words"),
        (plant_in_trash, "conversations_deletedpart.content"),
        (plant_in_log, "conversations_accessrecord.query"),
        (plant_in_view, "conversations_savedview.name"),
        (plant_in_another_app, "django_admin_log.object_repr"),
    ],
)
def test_marker_that_is_left_anywhere_is_an_error_with_its_place(expired_conversation, alice, settings, plant, place):
    settings.CONVERSATIONS_FULL_TEXT = True
    plant(alice)
    with pytest.raises(CommandError) as raised:
        run("--marker", PLANTED)
    found = set(str(raised.value).removeprefix("The marker is still in ").removesuffix(".").split(", "))
    assert found == set(place.split(", "))


def test_blank_marker_is_refused_and_nothing_is_purged(expired_conversation):
    with pytest.raises(CommandError, match="blank"):
        run("--marker", " ")
    assert DeletedConversation.objects.exists()


def test_purged_conversation_that_exists_again_is_an_error(expired_conversation, alice):
    copy = DeletedConversation.objects.get()
    Conversation.objects.create_with_items(owner=alice, conversation_id=copy.conversation_id)
    with pytest.raises(CommandError, match="Rows of Conversation still refer to purged conversations"):
        run()


def test_dry_run_prints_the_number_and_purges_nothing(expired_conversation, alice):
    move_to_trash(Conversation.objects.create_with_items(owner=alice))
    assert run("--dry-run") == "1 deleted conversation would be purged.\n"
    assert DeletedConversation.objects.count() == DeletedPart.objects.count() == 2


def test_restorable_conversations_are_not_purged(expired_conversation, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 31
    assert run().startswith("Purged 0 deleted conversations.\nBegun ")
    assert DeletedConversation.objects.get() == expired_conversation


def test_progress_is_shown_only_on_a_terminal(expired_conversation):
    terminal, file = Terminal(), StringIO()
    run(stderr=terminal)
    run(stderr=file)
    assert terminal.getvalue().endswith("\r1 of 1 deleted conversations\n")
    assert file.getvalue() == ""
