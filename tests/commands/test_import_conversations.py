import gzip
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from conversations.models import Conversation, Item
from conversations.schema.items import validate_items
from conversations.transfer.exporter import Export
from conversations.transfer.importer import OUTCOMES


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def run_import(*arguments: str, stderr: StringIO | None = None) -> str:
    stdout = StringIO()
    call_command("import_conversations", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue()


def export_all() -> bytes:
    return b"".join(Export(Conversation.objects.all()))


def run_failing_import(*arguments: str) -> tuple[list[str], str]:
    stderr = StringIO()
    with pytest.raises(CommandError) as refusal:
        run_import(*arguments, stderr=stderr)
    assert refusal.value.returncode == 1
    return stderr.getvalue().splitlines(), str(refusal.value)


@pytest.fixture
def text(alice) -> bytes:
    """Return an export of two conversations that are no longer in the database."""
    for number in (1, 2):
        items = validate_items([{"role": "user", "content": "Grüße 🎉"}] * number)
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=items)
    text = export_all()
    Conversation.objects.all().delete()
    return text


@pytest.fixture
def file(text, tmp_path) -> Path:
    file: Path = tmp_path / "all.jsonl"
    file.write_bytes(text)
    return file


def test_exported_conversations_are_imported_only_once(text, file):
    assert run_import(str(file)) == "Added 2 conversations and 3 items. 0 were already there.\n"
    assert export_all() == text
    assert run_import(str(file)) == "Added 0 conversations and 0 items. 2 were already there.\n"
    assert export_all() == text


@pytest.mark.django_db(transaction=True)
def test_conflict_after_the_first_transaction_repeats_no_outcome(alice, tmp_path):
    for _ in range(OUTCOMES + 2):
        Conversation.objects.create_with_items(owner=alice, items=validate_items([{"role": "user", "content": "x"}]))
    text, file = export_all(), tmp_path / "all.jsonl"
    file.write_bytes(text)
    Conversation.objects.all().delete()
    conflicts: list[int] = []

    def conflict_once(execute, sql, *args):
        result = execute(sql, *args)
        if "INSERT INTO" in sql and not conflicts and (stored := Conversation.objects.count()) > OUTCOMES:
            conflicts.append(stored)
            raise OperationalError(1213, "Deadlock found")  # as MariaDB's driver has it; no code has two meanings
        return result

    with connection.execute_wrapper(conflict_once):
        output = run_import(str(file))
    assert conflicts == [OUTCOMES + 1]
    assert output == f"Added {OUTCOMES + 2} conversations and {OUTCOMES + 2} items. 0 were already there.\n"
    assert export_all() == text


@pytest.mark.parametrize("name", ["all.jsonl.gz", "all"])
def test_compressed_file_is_decompressed(text, tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(text))
    run_import(str(tmp_path / name))
    assert export_all() == text


def test_import_reads_from_standard_input(text, monkeypatch):
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(text)))
    run_import("-")
    assert export_all() == text


def test_invalid_lines_and_conflicts_are_reported_and_fail_the_command(text, file):
    first, *rest = text.splitlines(keepends=True)
    file.write_bytes(b"".join([first.replace(b"demo", b"other"), *rest[:1], b"nonsense\n", *rest[1:]]))
    lines, message = run_failing_import(str(file))
    assert lines == ["line 3: not JSON: Expecting value: line 1 column 1 (char 0)"]
    assert message == "The file has 1 bad line and 0 conflicts."
    assert Conversation.objects.count() == 2
    file.write_bytes(text)
    lines, message = run_failing_import(str(file))
    assert lines == [f"line 1: '{Conversation.objects.earliest('pk')}' exists with a different metadata"]
    assert message == "The file has 0 bad lines and 1 conflict."


def test_truncated_gzip_file_fails(text, tmp_path):
    (tmp_path / "all.jsonl.gz").write_bytes(gzip.compress(text)[:-10])
    lines, message = run_failing_import(str(tmp_path / "all.jsonl.gz"))
    assert lines[-1].partition(": ")[2].startswith("the file can't be read from here on: Compressed file ended")
    assert message.startswith("The file has 1 bad line ")


@pytest.mark.parametrize(
    ("start", "format"),
    [
        (b"PK\x03\x04\x14", "a ZIP archive"),
        (b'[{"title": "Hi", "mapping": {"a": 1}}]', "ChatGPT's data export"),
        (b'\xef\xbb\xbf [\n{"id": "conv_1"}]', "a JSON array"),
        (b'{"messages": [{"role": "user", "content": "Hi"}]}\n', "JSON Lines with messages, as for fine-tuning"),
        (b'{"custom_id": "a", "body": {}}\n{}', "JSON Lines of batch requests"),
        (b'{\n  "object": "list",\n  "data": []\n}', "indented JSON, with an object on several lines"),
        (b"\xef\xbb\xbfid,owner,created_at\r\n", "CSV"),
        (b"<!doctype html>", "HTML or XML"),
        (b"# conv_1\n\n- Owner: `ann`\n", "Markdown"),
        (gzip.compress(b"[]", mtime=0), "a JSON array"),
    ],
)
def test_file_of_another_format_is_named_and_nothing_is_imported(db, tmp_path, start, format):
    (tmp_path / "file").write_bytes(start)
    lines, message = run_failing_import(str(tmp_path / "file"))
    assert (lines, Conversation.objects.count()) == ([], 0)
    assert message == (
        f"{tmp_path / 'file'} seems to be {format}. Expected a file of export_conversations: JSON Lines, one for each "
        "conversation and each item."
    )


def test_content_that_resembles_another_format_is_imported(alice, tmp_path):
    text = '[{"mapping": {"messages": 1, "custom_id": 2}}], <html>'
    Conversation.objects.create_with_items(owner=alice, items=validate_items([{"role": "user", "content": text}]))
    exported = export_all()
    Conversation.objects.all().delete()
    (tmp_path / "file").write_bytes(exported)
    assert run_import(str(tmp_path / "file")) == "Added 1 conversation and 1 item. 0 were already there.\n"
    assert export_all() == exported


def test_owners_must_exist_unless_created_or_overridden(text, file, alice, bob):
    alice.delete()
    assert run_failing_import(str(file))[0] == [
        "line 1: owner: there is no user 'alice'",
        "line 3: owner: there is no user 'alice'",
    ]
    assert not Item.objects.exists()
    run_import(str(file), "--create-users")
    assert User.objects.get(username="alice").conversations.count() == 2
    Conversation.objects.all().delete()
    run_import(str(file), "--owner", "bob")
    assert bob.conversations.count() == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: file"),
        (("-", "--owner", "nobody"), "There is no user 'nobody'"),
        (("/nowhere/all.jsonl",), "/nowhere/all.jsonl: No such file or directory"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message, db):
    with pytest.raises(CommandError, match=message):
        run_import(*arguments)


@pytest.mark.parametrize(
    ("stream", "progress"),
    [(Terminal, "1 conversation, 100 %\r2 conversations, 100 %\r2 conversations, 100 %\n"), (StringIO, "")],
)
def test_progress_is_shown_only_on_a_terminal(stream, progress, file):
    stderr = stream()
    run_import(str(file), stderr=stderr)
    assert stderr.getvalue() == progress
