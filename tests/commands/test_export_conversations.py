import csv
import gzip
import json
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from conversations.models import Conversation
from conversations.schema.items import validate_items
from conversations.transfer import exporter


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class Interrupting(Terminal):
    """A terminal on which Ctrl-C is pressed when progress is shown, and the contents of the directory at that time."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self.contents: dict[str, bytes] = {}

    def write(self, _: str) -> int:
        self.contents = {path.suffix: path.read_bytes() for path in self._directory.iterdir()}
        raise KeyboardInterrupt


class Closed(BytesIO):
    def write(self, _: bytes) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def export(*arguments: str, stderr: StringIO | None = None) -> str:
    stdout = StringIO()
    call_command("export_conversations", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue()


def export_to_stdout(*arguments: str) -> bytes:
    stdout = TextIOWrapper(written := BytesIO(), encoding="ascii")
    call_command("export_conversations", *arguments, stdout=stdout)
    return written.getvalue()


def ids(text: bytes) -> list[str]:
    return [line["id"] for line in map(json.loads, text.splitlines()) if line["object"] == "conversation"]


@pytest.fixture
def conversations(alice, bob) -> list[Conversation]:
    hello = validate_items([{"role": "user", "content": "Grüße 🎉"}])
    return [
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=hello),
        Conversation.objects.create_with_items(owner=bob, metadata={"topic": "demo"}, items=hello * 2),
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": "billing"}),
    ]


def test_file_and_standard_output_receive_the_same_export(conversations, tmp_path):
    file = tmp_path / "all.jsonl"
    assert export(str(file)) == "Exported 3 conversations and 3 items.\n"
    assert export_to_stdout("-") == export_to_stdout() == file.read_bytes()
    assert ids(file.read_bytes()) == [conversation.pk for conversation in conversations]
    assert "Grüße 🎉" in file.read_text("utf-8")
    assert export(str(file), "--query", "@owner:alice topic:demo") == "Exported 1 conversation and 1 item.\n"


def test_export_replaces_a_file_only_when_it_is_complete(conversations, tmp_path):
    file = tmp_path / "all.jsonl"
    file.write_bytes(b"yesterday")
    file.chmod(0o640)
    terminal = Interrupting(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        export(str(file), stderr=terminal)
    assert terminal.contents.keys() == {".jsonl", ".partial"}  # A killed export would leave both.
    assert terminal.contents[".jsonl"] == file.read_bytes() == b"yesterday"
    assert list(tmp_path.iterdir()) == [file]
    export(str(file))
    assert file.read_bytes() == export_to_stdout()
    assert file.stat().st_mode & 0o777 == 0o640


def test_export_to_a_link_replaces_the_file_that_it_leads_to(conversations, tmp_path):
    link = tmp_path / "latest.jsonl"
    link.symlink_to(tmp_path / "today.jsonl")
    export(str(link))
    assert link.is_symlink()
    assert (tmp_path / "today.jsonl").read_bytes() == export_to_stdout()


def test_export_to_a_device_does_not_replace_it(conversations):
    export("/dev/null")
    assert Path("/dev/null").is_char_device()


def test_file_with_gz_suffix_is_compressed(conversations, tmp_path):
    export(str(tmp_path / "all.jsonl.gz"))
    assert gzip.decompress((tmp_path / "all.jsonl.gz").read_bytes()) == export_to_stdout()
    export(str(tmp_path / "all.csv.gz"), "--format", "csv")
    assert gzip.decompress((tmp_path / "all.csv.gz").read_bytes()) == export_to_stdout("--format", "csv")


def test_query_and_owner_select_conversations(conversations):
    first, second, third = (conversation.pk for conversation in conversations)
    assert ids(export_to_stdout("--query", "topic:demo")) == [first, second]
    assert ids(export_to_stdout("--query=-topic:demo")) == [third]
    assert ids(export_to_stdout("--owner", "alice")) == [first, third]
    assert ids(export_to_stdout("--owner", "alice", "--query", "topic:demo")) == [first]
    assert export_to_stdout("--query", "topic:none") == b""


def test_items_can_be_left_out(conversations, tmp_path):
    assert export(str(tmp_path / "all.jsonl"), "--without-items") == "Exported 3 conversations.\n"
    assert len((tmp_path / "all.jsonl").read_bytes().splitlines()) == 3


@pytest.mark.parametrize(("format", "rows"), [("csv", 3), ("items-csv", 3)])
def test_csv_formats_have_one_row_per_conversation_or_item(format, rows, conversations):
    text = export_to_stdout("--format", format).decode("utf-8-sig")
    assert len(list(csv.DictReader(StringIO(text, newline="")))) == rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--query", "topic="), "Invalid 'query': .* after the key at position 6"),
        (("--owner", "nobody"), "There is no user 'nobody'"),
        (("--format", "xml"), "argument --format: invalid choice: 'xml'"),
        (("--format", "items-csv", "--without-items"), "--without-items cannot be combined with --format items-csv"),
        (("--format", "html", "--without-items"), "--without-items cannot be combined with --format html"),
        (("/nowhere/all.jsonl",), "/nowhere/all.jsonl: No such file or directory"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message, conversations):
    with pytest.raises(CommandError, match=message):
        export(*arguments)


def test_invalid_query_does_not_overwrite_the_file(conversations, tmp_path):
    file: Path = tmp_path / "all.jsonl"
    file.write_text("precious")
    with pytest.raises(CommandError):
        export(str(file), "--query", "(")
    assert file.read_text() == "precious"


def test_other_formats_are_written_and_omissions_reported(conversations, tmp_path):
    search = {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}
    conversations[2].add_items([search, search, {"type": "reasoning", "summary": [], "encrypted_content": "x"}])
    stderr = StringIO()
    for name in ("html", "markdown", "messages"):
        written = export(str(tmp_path / name), "--format", name, stderr=stderr)
        assert written == "Exported 3 conversations and 6 items.\n"
    assert stderr.getvalue() == "Left out, because the format has no place for it: web_search_call (2), reasoning (1)\n"
    assert (tmp_path / "html").read_text().count("<article>") == 3
    assert (tmp_path / "markdown").read_text().count("\n> Grüße 🎉\n") == 3
    lines = [json.loads(line) for line in (tmp_path / "messages").read_text().splitlines()]
    hello = {"role": "user", "content": "Grüße 🎉"}
    assert lines == [{"messages": [hello]}, {"messages": [hello, hello]}]


def test_broken_pipe_ends_the_export(conversations):
    with pytest.raises(CommandError, match="-: Broken pipe"):
        call_command("export_conversations", stdout=TextIOWrapper(Closed()))


@pytest.mark.parametrize(
    ("stream", "progress"),
    [(Terminal, "2 of 3 conversations\r3 of 3 conversations\r3 of 3 conversations\n"), (StringIO, "")],
)
def test_progress_is_shown_only_on_a_terminal(stream, progress, conversations, tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, "CONVERSATIONS_PER_QUERY", 2)
    monkeypatch.setattr(exporter, "ITEMS_PER_QUERY", 3)
    stderr = stream()
    export(str(tmp_path / "all.jsonl"), stderr=stderr)
    assert stderr.getvalue() == progress
