import gzip
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from conversations.models import Conversation, Item
from conversations.schema.items import validate_items
from conversations.transfer.exporter import Export


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def take(*arguments: str, stderr: StringIO | None = None) -> str:
    stdout = StringIO()
    call_command("import_conversations", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue()


def exported() -> bytes:
    return b"".join(Export(Conversation.objects.all()))


def shown(*arguments: str) -> tuple[list[str], str]:
    stderr = StringIO()
    with pytest.raises(CommandError) as refusal:
        take(*arguments, stderr=stderr)
    assert refusal.value.returncode == 1
    return stderr.getvalue().splitlines(), str(refusal.value)


@pytest.fixture
def text(alice) -> bytes:
    """Of two conversations, which are gone from the database."""
    for number in (1, 2):
        items = validate_items([{"role": "user", "content": "Grüße 🎉"}] * number)
        Conversation.create_with_items(owner=alice, metadata={"topic": "demo"}, items=items)
    text = exported()
    Conversation.objects.all().delete()
    return text


@pytest.fixture
def file(text, tmp_path) -> Path:
    file: Path = tmp_path / "all.jsonl"
    file.write_bytes(text)
    return file


def test_what_was_exported_is_there_again_and_a_second_run_adds_nothing(text, file):
    assert take(str(file)) == "Added 2 conversations and 3 items. 0 were already there.\n"
    assert exported() == text
    assert take(str(file)) == "Added 0 conversations and 0 items. 2 were already there.\n"
    assert exported() == text


def test_a_file_is_decompressed_by_its_name(text, tmp_path):
    (tmp_path / "all.jsonl.gz").write_bytes(gzip.compress(text))
    take(str(tmp_path / "all.jsonl.gz"))
    assert exported() == text


def test_standard_input_is_read(text, monkeypatch):
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(text)))
    take("-")
    assert exported() == text


def test_bad_lines_and_conflicts_are_named_and_fail(text, file):
    first, *rest = text.splitlines(keepends=True)
    file.write_bytes(b"".join([first.replace(b"demo", b"other"), *rest[:1], b"nonsense\n", *rest[1:]]))
    lines, message = shown(str(file))
    assert lines == ["line 3: not JSON: Expecting value: line 1 column 1 (char 0)"]
    assert message == "There are 1 bad lines and 0 conflicts."
    assert Conversation.objects.count() == 2
    file.write_bytes(text)
    lines, message = shown(str(file))
    assert lines == [f"line 1: '{Conversation.objects.earliest('pk')}' is there with another metadata"]
    assert message == "There are 0 bad lines and 1 conflicts."


def test_half_a_compressed_file_fails(text, tmp_path):
    (tmp_path / "all.jsonl.gz").write_bytes(gzip.compress(text)[:-10])
    lines, message = shown(str(tmp_path / "all.jsonl.gz"))
    assert lines[-1].partition(": ")[2].startswith("the file can't be read from here on: Compressed file ended")
    assert message.startswith("There are 1 bad lines")


def test_owners_must_exist_or_be_created_or_be_another(text, file, alice, bob):
    alice.delete()
    assert shown(str(file))[0] == ["line 1: owner: there is no user 'alice'", "line 3: owner: there is no user 'alice'"]
    assert not Item.objects.exists()
    take(str(file), "--create-users")
    assert User.objects.get(username="alice").conversations.count() == 2
    Conversation.objects.all().delete()
    take(str(file), "--owner", "bob")
    assert bob.conversations.count() == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: file"),
        (("-", "--owner", "nobody"), "There is no user 'nobody'"),
        (("/nowhere/all.jsonl",), "/nowhere/all.jsonl: No such file or directory"),
    ],
)
def test_what_can_not_be_done_is_refused(arguments, message, db):
    with pytest.raises(CommandError, match=message):
        take(*arguments)


@pytest.mark.parametrize(
    ("stream", "shown"),
    [(Terminal, "1 conversations, 100 %\r2 conversations, 100 %\r2 conversations, 100 %\n"), (StringIO, "")],
)
def test_progress_is_shown_on_a_terminal_only(stream, shown, file):
    stderr = stream()
    take(str(file), stderr=stderr)
    assert stderr.getvalue() == shown
