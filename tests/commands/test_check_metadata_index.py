import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import QuerySet

from conversations.deletion import delete_conversation
from conversations.management.commands.check_metadata_index import MAX_LINES, Command
from conversations.metadata_index import find_differences, repair
from conversations.models import Conversation, MetadataPair
from tests.waiting import is_waiting_for_lock, wait_until

METADATA = {"tenant": "acme", "größe": "Übermaß", "it's": "one\nline"}


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def check(*arguments: str, stdout: StringIO | None = None, stderr: StringIO | None = None) -> str:
    stdout = stdout or StringIO()
    call_command("check_metadata_index", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue()


def check_with_differences(*arguments: str) -> tuple[list[str], str]:
    stdout = StringIO()
    with pytest.raises(CommandError) as refusal:
        check(*arguments, stdout=stdout)
    assert refusal.value.returncode == 1
    return stdout.getvalue().splitlines(), str(refusal.value)


def index() -> set[tuple]:
    return set(MetadataPair.objects.values_list("conversation", "owner", "key", "value"))


def remove(pairs, bob):
    pairs.filter(key="tenant").delete()


def remove_all(pairs, bob):
    pairs.all().delete()


def change_value(pairs, bob):
    pairs.filter(key="tenant").update(value="Acme")


def change_key(pairs, bob):
    pairs.filter(key="tenant").update(key="Tenant")


def change_owner(pairs, bob):
    pairs.filter(key="tenant").update(owner=bob)


def change_owner_and_value(pairs, bob):
    pairs.filter(key="tenant").update(owner=bob, value="")


def change_owner_to_none_that_exists(pairs, bob):
    pairs.filter(key="tenant").update(owner=bob.pk + 1_000)


def add(pairs, bob):
    conversation = pairs.instance
    MetadataPair.objects.create(conversation=conversation, owner=conversation.owner, key="new\n", value="")


DIFFERENCES = [
    (remove, "'tenant' is missing"),
    (remove_all, "'tenant' is missing, 'größe' is missing, \"it's\" is missing"),
    (change_value, "'tenant' has another value"),
    (change_key, "'tenant' is missing, 'Tenant' is not in the metadata"),
    (change_owner, "'tenant' has another owner"),
    (change_owner_and_value, "'tenant' has another value, 'tenant' has another owner"),
    (change_owner_to_none_that_exists, "'tenant' has another owner"),
    (add, r"'new\n' is not in the metadata"),
]


@pytest.fixture
def conversations(alice, bob) -> list[Conversation]:
    owners = [alice, bob, alice, bob, alice]
    return [
        Conversation.objects.create_with_items(owner=owner, metadata=METADATA if number else {})
        for number, owner in enumerate(owners)
    ]


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5])
def test_index_written_by_the_models_has_no_differences(number, alice, monkeypatch):
    monkeypatch.setattr(Command, "batch_size", 2)
    for _ in range(number):
        conversation = Conversation.objects.create_with_items(owner=alice, metadata={"a": "1"})
        conversation.replace_metadata(metadata=METADATA)
    conversations = "1 conversation" if number == 1 else f"{number} conversations"
    assert check() == f"The index agrees with the metadata of {conversations}.\n"
    assert check("--repair") == f"Checked {conversations} and repaired the index of 0.\n"


@pytest.mark.parametrize(("differ", "words"), DIFFERENCES)
def test_difference_is_reported_and_not_repaired_by_default(differ, words, conversations, bob):
    differ(conversations[2].metadata_pairs, bob)
    before = index()
    lines, message = check_with_differences()
    assert lines == [f"{conversations[2].pk}: {words}"]
    assert message == "The index differs from the metadata of 1 of 5 conversations. Repair it with --repair."
    assert index() == before


@pytest.mark.parametrize(("differ", "words"), DIFFERENCES)
def test_difference_is_repaired_with_the_repair_option(differ, words, conversations, bob):
    well, rows = index(), list(Conversation.objects.order_by("pk").values())
    differ(conversations[2].metadata_pairs, bob)
    assert index() != well
    assert check("--repair").splitlines() == [
        f"{conversations[2].pk}: {words}",
        "Checked 5 conversations and repaired the index of 1.",
    ]
    assert index() == well
    assert list(Conversation.objects.order_by("pk").values()) == rows
    assert check() == "The index agrees with the metadata of 5 conversations.\n"


def test_pairs_of_a_conversation_without_metadata_are_reported_as_surplus(conversations, bob):
    add(conversations[0].metadata_pairs, bob)
    assert check_with_differences()[0] == [rf"{conversations[0].pk}: 'new\n' is not in the metadata"]
    check("--repair")
    assert not conversations[0].metadata_pairs.exists()


def test_repair_writes_only_conversations_that_differ(conversations, django_assert_num_queries):
    remove(conversations[2].metadata_pairs, None)
    with django_assert_num_queries(
        9
    ) as queries:  # among them savepoint, lock, comparison, row, DELETE, INSERT, release
        check("--repair")
    written = [query["sql"] for query in queries if query["sql"].startswith(("UPDATE", "INSERT", "DELETE"))]
    assert len(written) == 3
    assert all(conversations[2].pk in sql for sql in written)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_differences_are_found_and_repaired_in_every_batch(size, conversations, bob, monkeypatch):
    monkeypatch.setattr(Command, "batch_size", size)
    well = index()
    for conversation in conversations:
        add(conversation.metadata_pairs, bob)
    lines, message = check_with_differences()
    assert lines == [rf"{conversation.pk}: 'new\n' is not in the metadata" for conversation in conversations]
    assert message.startswith("The index differs from the metadata of 5 of 5 conversations.")
    assert check("--repair").splitlines() == [*lines, "Checked 5 conversations and repaired the index of 5."]
    assert index() == well


@pytest.mark.parametrize(("size", "queries"), [(1, 11), (2, 6), (5, 3), (6, 2)])
def test_batch_takes_two_queries_regardless_of_differences(
    size, queries, conversations, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(Command, "batch_size", size)
    with django_assert_num_queries(queries):
        check()
    for conversation in conversations[1:]:
        remove(conversation.metadata_pairs, None)
    with django_assert_num_queries(queries):
        check_with_differences()


def test_output_is_limited_to_100_lines_but_all_differences_are_counted(alice):
    for _ in range(MAX_LINES + 1):
        Conversation.objects.create_with_items(owner=alice, metadata={"a": "1"})
    MetadataPair.objects.all().delete()
    lines, message = check_with_differences()
    assert len(lines) == 100
    assert message.startswith("The index differs from the metadata of 101 of 101 conversations.")
    lines = check("--repair").splitlines()
    assert len(lines) == 101
    assert lines[-1] == "Checked 101 conversations and repaired the index of 101."


@pytest.mark.parametrize(
    ("metadata", "difference", "error"),
    [
        ({"a": 1}, "'a' is missing", "Invalid type for 'metadata.a': expected a string, but got an integer instead."),
        ([], "metadata is not an object", "Invalid type for 'metadata': expected a metadata object, but got an array"),
    ],
)
def test_invalid_metadata_is_not_indexed_and_does_not_block_other_repairs(metadata, difference, error, conversations):
    remove_all(conversations[3].metadata_pairs, None)
    first = conversations[0]
    QuerySet(Conversation).filter(pk=first.pk).update(metadata=metadata)
    assert check_with_differences()[0][0] == f"{first.pk}: {difference}"
    lines, message = check_with_differences("--repair")
    assert lines[0].startswith(f"{first.pk}: {error}")
    assert lines[2] == "Checked 5 conversations and repaired the index of 1."
    assert message == "The index still differs from the metadata of 1 conversation."
    assert conversations[3].metadata_pairs.count() == 3
    assert not first.metadata_pairs.exists()


def test_repair_skips_a_conversation_deleted_meanwhile(conversations):
    remove_all(conversations[2].metadata_pairs, None)
    [conversation_id] = find_differences([conversation.pk for conversation in conversations])
    delete_conversation(conversations[2])
    assert repair(conversation_id) == []
    assert find_differences([conversation_id]) == {}


def test_repair_does_not_overwrite_a_concurrent_update(conversations):
    remove_all(conversations[2].metadata_pairs, None)
    [conversation_id] = find_differences([conversation.pk for conversation in conversations])
    conversations[2].replace_metadata(metadata={"tenant": "another"})
    assert repair(conversation_id) == []
    assert list(conversations[2].metadata_pairs.values_list("key", "value")) == [("tenant", "another")]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="one connection has the database in memory")
@pytest.mark.django_db(transaction=True)
def test_repair_waits_for_a_concurrent_update(conversations):
    conversation = conversations[2]
    remove_all(conversation.metadata_pairs, None)
    outcomes = []

    def run() -> None:
        try:
            outcomes.append(repair(conversation.pk))
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        conversation.replace_metadata(metadata={"tenant": "another"})
        thread.start()
        wait_until(is_waiting_for_lock)
        assert outcomes == []
    thread.join()
    assert outcomes == [[]]
    assert list(conversation.metadata_pairs.values_list("key", "value")) == [("tenant", "another")]


@pytest.mark.parametrize(
    ("stream", "progress"),
    [
        (Terminal, "2 of 5 conversations\r4 of 5 conversations\r5 of 5 conversations\r5 of 5 conversations\n"),
        (StringIO, ""),
    ],
)
def test_progress_is_shown_only_on_a_terminal(stream, progress, conversations, monkeypatch):
    monkeypatch.setattr(Command, "batch_size", 2)
    stderr = stream()
    check(stderr=stderr)
    assert stderr.getvalue() == progress
