import threading
from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from conversations.checks import check_full_text_index
from conversations.management.commands.fill_full_text import Command
from conversations.models import Conversation, ItemText
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query
from conversations.search import item_text
from tests.seed import seed_conversations
from tests.waiting import is_waiting_for_lock, wait_until

# MariaDB and MySQL find only committed rows through a full-text index.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def fill(*arguments, **options):
    stdout = StringIO()
    call_command("fill_full_text", *arguments, stdout=stdout, **options)
    return stdout.getvalue()


def create_conversation(owner, *texts):
    items = validate_items([{"role": "user", "content": text} for text in texts])
    return Conversation.objects.create_with_items(owner=owner, items=items)


def search(query):
    page = Conversation.objects.page(limit=100, order="asc", matching=parse_query(query))
    return [conversation.pk for conversation in page.rows]


def index():
    return list(ItemText.objects.order_by("conversation", "position").values_list("conversation", "position", "words"))


@pytest.fixture
def unindexed_conversations(alice, settings) -> list[Conversation]:
    settings.CONVERSATIONS_FULL_TEXT = False
    conversations = [create_conversation(alice, f"refund {n}", "...", *["policy"] * n) for n in range(5)]
    settings.CONVERSATIONS_FULL_TEXT = True
    return conversations


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize("items", [1, 2, 100])
def test_items_stored_before_the_index_are_found_after_filling_it(unindexed_conversations, monkeypatch, size, items):
    monkeypatch.setattr(Command, "batch_size", size)
    monkeypatch.setattr(item_text, "BATCH", items)
    assert search("refund") == []
    assert fill() == "Added the texts of 15 items.\n"
    assert search("refund") == [conversation.pk for conversation in unindexed_conversations]
    assert search("policy") == [conversation.pk for conversation in unindexed_conversations[1:]]


def test_second_run_adds_only_missing_texts(unindexed_conversations):
    fill()
    well = index()
    assert fill() == "Added the texts of 0 items.\n"
    unindexed_conversations[1].item_texts.all().delete()
    unindexed_conversations[3].item_texts.filter(position=4).delete()
    assert fill() == "Added the texts of 3 items.\n"
    assert index() == well


def test_filled_index_equals_the_index_written_by_the_models(alice):
    for _ in seed_conversations(conversations=20, items_per=8, seed=1, start=date(2026, 1, 1)):
        pass
    create_conversation(alice, "hello")
    written = index()
    assert len(written) > 100
    assert fill("--clear") == f"Removed the texts of {len(written):,} items.\n"
    assert index() == []
    fill()
    assert index() == written


def test_disabled_index_can_be_cleared_but_not_filled(unindexed_conversations, settings):
    fill()
    settings.CONVERSATIONS_FULL_TEXT = False
    with pytest.raises(CommandError, match="Full-text search is off: set CONVERSATIONS_FULL_TEXT = True first"):
        fill()
    assert fill("--clear") == "Removed the texts of 15 items.\n"


@pytest.mark.parametrize(
    ("stream", "progress"),
    [
        (Terminal, "2 of 5 conversations\r4 of 5 conversations\r5 of 5 conversations\r5 of 5 conversations\n"),
        (StringIO, ""),
    ],
)
def test_progress_is_shown_only_on_a_terminal(stream, progress, unindexed_conversations, monkeypatch):
    monkeypatch.setattr(Command, "batch_size", 2)
    stderr = stream()
    fill(stderr=stderr)
    assert stderr.getvalue() == progress


@pytest.mark.skipif(connection.vendor == "sqlite", reason="one connection has the database in memory")
@pytest.mark.django_db(transaction=True)
def test_filling_waits_for_a_concurrent_deletion(unindexed_conversations):
    [item] = unindexed_conversations[0].items.all()[:1]
    done = []

    def run() -> None:
        try:
            done.append(fill())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        unindexed_conversations[0].delete_item(item_id=item.item_id)
        thread.start()
        wait_until(is_waiting_for_lock)
        assert done == []
    thread.join()
    assert done == ["Added the texts of 14 items.\n"]
    assert not unindexed_conversations[0].item_texts.exists()


def test_system_check_warns_about_an_empty_index(unindexed_conversations, settings):
    [warning] = check_full_text_index(["default"])
    assert warning.id == "conversations.W008"
    assert warning.hint == "Run `python manage.py fill_full_text`."
    assert check_full_text_index() == []
    fill()
    assert check_full_text_index(["default"]) == []
    fill("--clear")
    settings.CONVERSATIONS_FULL_TEXT = False
    assert check_full_text_index(["default"]) == []


def test_system_check_passes_on_an_empty_database(db):
    assert check_full_text_index(["default"]) == []
