import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from conversations.models import Conversation
from tests.transfer.remote_stub import HEX, RemoteStub, running_stub

KEY_AS_ARGUMENT = (
    "The API key can't be an argument, which other users of this machine could read. Set OPENAI_API_KEY, or use "
    "--api-key-file."
)
ID = f"conv_{HEX[:-1]}"  # without the last digit


@pytest.fixture
def stub(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with running_stub() as stub:
        for number in (1, 2):
            stub.add(ID + str(number), {"id": "msg_1", "type": "message", "role": "user", "content": []})
        yield stub


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def run_import(stub: RemoteStub, *arguments: object, stderr: StringIO | None = None) -> str:
    stdout = StringIO()
    call_command(
        "import_from_openai",
        "--owner=alice",
        f"--base-url={stub.base_url}",
        *map(str, arguments),
        stdout=stdout,
        stderr=stderr or StringIO(),
    )
    return stdout.getvalue()


def test_listed_conversations_are_imported_only_once(stub, alice):
    assert run_import(stub, "--list") == "Added 2 conversations and 2 items. 0 were already there.\n"
    assert run_import(stub, "--list") == "Added 0 conversations and 0 items. 2 were already there.\n"
    assert set(Conversation.objects.values_list("pk", "owner__username")) == {(f"{ID}1", "alice"), (f"{ID}2", "alice")}


def test_ids_are_read_from_a_file_or_standard_input(stub, alice, tmp_path, monkeypatch):
    (tmp_path / "ids").write_text(f"\ufeff\n{ID}2\r\n{ID}2\n")
    assert run_import(stub, "--ids", tmp_path / "ids").startswith("Added 1 conversation and 1 item. 0 were")
    monkeypatch.setattr("sys.stdin", StringIO(f"{ID}1\n{ID}2"))
    assert run_import(stub, "--ids", "-").startswith("Added 1 conversation and 1 item. 1 were")


def test_key_is_sent_from_the_environment_or_a_file(stub, alice, tmp_path, monkeypatch):
    run_import(stub, "--list")
    assert stub.keys == {"secret"}
    (tmp_path / "key").write_text("other\n")
    run_import(stub, "--list", "--api-key-file", tmp_path / "key")
    assert stub.keys == {"secret", "other"}


def test_missing_key_is_reported(stub, alice, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(CommandError, match=r"^There is no API key. Set OPENAI_API_KEY, or use --api-key-file.$"):
        run_import(stub, "--list")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ids=missing"], "missing: No such file or directory"),
        (["--ids={directory}/empty"], "{directory}/empty has no ids."),
        (["--ids={directory}/binary"], "{directory}/binary is not a text file."),
        (
            ["--list", "--api-key-file={directory}/lines"],
            "{directory}/lines does not contain an API key on a single line.",
        ),
        (["--list", "--api-key=sk-other"], KEY_AS_ARGUMENT),
        (["--list", "--api-key", "sk-other"], KEY_AS_ARGUMENT),
        (["--list", "--base-url=localhost/v1"], "--base-url localhost/v1 is not a URL such as https://example.com/v1."),
        (["--list", "--owner=nobody"], "There is no user 'nobody'."),
    ],
)
def test_wrong_arguments_are_reported_before_any_request(arguments, message, stub, alice, tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "lines").write_text("one\ntwo")
    with pytest.raises(CommandError) as refusal:
        run_import(stub, *(argument.format(directory=tmp_path) for argument in arguments))
    assert str(refusal.value) == message.format(directory=tmp_path)
    assert stub.requests == []


def test_missing_package_is_named_with_its_extra(stub, alice, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(CommandError) as refusal:
        run_import(stub, "--list")
    assert str(refusal.value) == ("This command needs the package openai: pip install 'django-conversations[openai]'")


def test_failures_and_losses_are_listed_at_the_end_and_fail_the_command(stub, alice, tmp_path):
    stub.add(f"{ID}3", 5)
    (tmp_path / "ids").write_text(f"{ID}0\n{ID}1\n{ID}3\n")
    stderr = StringIO()
    with pytest.raises(CommandError) as failure:
        run_import(stub, "--ids", tmp_path / "ids", stderr=stderr)
    assert stderr.getvalue().splitlines() == [
        f"{ID}0: Error code: 404 - Not found.",
        f"{ID}3: item 1: left out, because it is not an object",
    ]
    assert str(failure.value) == "1 conversation could not be copied. Run the command again to continue."
    assert failure.value.returncode == 1
    assert Conversation.objects.count() == 2


def test_server_without_a_list_needs_ids(stub, alice):
    stub.has_list = False
    with pytest.raises(CommandError) as failure:
        run_import(stub, "--list")
    assert str(failure.value) == (
        f"{stub.base_url}/ has no list of conversations (Error code: 404 - Not found.). Write the ids into a file, and "
        "use --ids."
    )


def test_import_that_stops_early_says_why(stub, alice):
    stub.answers[f"/conversations/{ID}2"] = (429, {"error": {"message": "Slow down."}})
    with pytest.raises(CommandError) as failure:
        run_import(stub, "--list")
    reason = "Stopped early: Error code: 429 - Slow down. (Retry-After: 600) Run the command again to continue."
    assert str(failure.value) == reason
    assert Conversation.objects.get().pk == f"{ID}1"


def test_refused_include_is_reported(stub, alice):
    stub.refuses_include = True
    stderr = StringIO()
    run_import(stub, "--list", stderr=stderr)
    assert stderr.getvalue() == ("The server refuses the parameter 'include'. Members such as images may be missing.\n")


def test_bar_shows_the_progress_on_a_terminal(stub, alice, tmp_path):
    (tmp_path / "ids").write_text(f"{ID}1\n{ID}2")
    stderr = Terminal()
    run_import(stub, "--ids", tmp_path / "ids", stderr=stderr)
    half, full = f"[{'#' * 10}{' ' * 10}]  50% 1 conversation", f"[{'#' * 20}] 100% 2 conversations"
    assert stderr.getvalue() == f"{half}\r{full}\r{full}\n"
    stderr = Terminal()
    run_import(stub, "--list", stderr=stderr)
    assert stderr.getvalue() == "1 conversation\r2 conversations\r2 conversations\n"
