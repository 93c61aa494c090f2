from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from conversations.models import Conversation, DeletedConversation, Item
from conversations.schema.items import validate_items
from tests.commands.test_purge_deleted_conversations import PLANTED, Terminal, tables_with


def run(query: str, *arguments: str, stderr: StringIO | None = None) -> str:
    stdout = StringIO()
    call_command("delete_conversations", f"--query={query}", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue()


@pytest.fixture
def conversations(alice, settings) -> list[Conversation]:
    settings.CONVERSATIONS_FULL_TEXT = True
    items = validate_items([{"role": "user", "content": f"say {PLANTED} twice"}] * 3)
    return [
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": topic, "word": PLANTED}, items=items)
        for topic in ("old", "old", "new")
    ]


@pytest.fixture
def answer_prompt(monkeypatch):
    """Return a function that puts a text on standard input, which ends after it."""

    def type_in(text: str) -> None:
        monkeypatch.setattr("sys.stdin", StringIO(text))

    return type_in


def test_matching_conversations_are_deleted_permanently(conversations):
    assert run("topic:old", "--no-input") == "Deleted 2 conversations with 6 items.\n"
    assert Conversation.objects.get() == conversations[2]
    assert Item.objects.count() == 3
    assert not DeletedConversation.objects.exists()


def test_planted_text_is_in_no_table_afterwards(conversations):
    assert len(tables_with(PLANTED)) >= 4
    run("topic:old OR topic:new", "--no-input")
    assert tables_with(PLANTED) == set()


def test_dry_run_prints_the_number_and_deletes_nothing(conversations):
    assert run("topic:old", "--dry-run") == "2 conversations with 6 items would be deleted.\n"
    assert run("topic:none", "--dry-run") == "0 conversations with 0 items would be deleted.\n"
    assert Conversation.objects.count() == 3


def test_command_asks_for_confirmation(conversations, answer_prompt):
    answer_prompt("yes\n")
    prompt = "2 conversations will be deleted permanently. Type 'yes' to continue: "
    assert run("topic:old") == f"{prompt}Deleted 2 conversations with 6 items.\n"


@pytest.mark.parametrize("answer", ["", "\n", "no\n", "y\n", "yes please\n"])
def test_answers_other_than_yes_delete_nothing(answer, conversations, answer_prompt):
    answer_prompt(answer)
    with pytest.raises(CommandError, match=r"Nothing was deleted\."):
        run("topic:old")
    assert Conversation.objects.count() == 3


@pytest.mark.parametrize("query", ["", "  "])
def test_empty_query_is_refused(query, conversations):
    with pytest.raises(CommandError, match="An empty query would delete everything"):
        run(query, "--no-input")
    assert Conversation.objects.count() == 3


def test_missing_query_is_refused(db):
    with pytest.raises(CommandError, match="--query"):
        call_command("delete_conversations", "--no-input")


@pytest.mark.parametrize("query", ["created<yesterday", 'topic:"', "(topic:old"])
def test_invalid_query_is_refused(query, conversations):
    with pytest.raises(CommandError):
        run(query, "--no-input")
    assert Conversation.objects.count() == 3


@pytest.mark.parametrize("batch", ["0", "-1", "many"])
def test_batch_size_must_be_positive(batch, db):
    with pytest.raises(CommandError, match="--batch"):
        run("topic:old", "--no-input", f"--batch={batch}")


def test_small_batches_delete_the_same_conversations(conversations):
    assert run("topic:old", "--no-input", "--batch=1") == "Deleted 2 conversations with 6 items.\n"
    assert Conversation.objects.get() == conversations[2]


def test_progress_is_shown_only_on_a_terminal(conversations):
    terminal, file = Terminal(), StringIO()
    run("topic:old", "--no-input", stderr=terminal)
    run("topic:new", "--no-input", stderr=file)
    assert terminal.getvalue().endswith("\r2 of 2 conversations, 6 items\n")
    assert file.getvalue() == ""
