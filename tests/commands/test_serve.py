"""Errors that keep the service from starting. `tests/live` tests the running service."""

import re

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from project.management.commands.serve import Command
from tests.live.service import free_port, manage


def startup_error(tmp_path, **variables):
    """Return the only line that a failing start prints."""
    configuration = {"DATABASE_URL": f"sqlite:///{tmp_path / 'broken.sqlite3'}", "SECRET_KEY": "x", **variables}
    failed = manage("serve", "--port", str(free_port()), "--workers", "1", **configuration)
    assert failed.returncode == 1
    assert failed.stdout == ""
    [line] = failed.stderr.splitlines()
    return line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"DEBUG": "perhaps"}, 'error: Environment variable "DEBUG" invalid: Not a valid boolean.'),
        ({"LOG_LEVEL": "loud"}, 'error: Environment variable "LOG_LEVEL" invalid: Not a valid log level.'),
        ({"DATABASE_URL": "nonsense"}, 'error: Environment variable "DATABASE_URL" invalid: Not a valid database URL.'),
        (
            {"DATABASE_URL": "oracle://127.0.0.1/conversations"},
            'error: Environment variable "DATABASE_URL" invalid: use sqlite, postgresql or mysql.',
        ),
        (
            {"DATABASE_URL": "sqlite://:memory:"},
            "CommandError: Can't use an in-memory database: each worker would have its own and lose it on exit.",
        ),
        (
            {"SECRET_KEY": ""},
            'error: Environment variable "SECRET_KEY" is required when "DATABASE_URL" is set.',
        ),
        (
            {"CONVERSATIONS_MAX_BODY_BYTES": "many"},
            'error: Environment variable "CONVERSATIONS_MAX_BODY_BYTES" invalid: Not a valid integer.',
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_invalid_environment_variable_is_reported_in_one_line(tmp_path, variables, line):
    assert startup_error(tmp_path, **variables) == line


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
def test_unreachable_database_is_reported_in_one_line(tmp_path, scheme):
    pytest.importorskip({"postgres": "psycopg", "mysql": "MySQLdb"}[scheme])
    line = startup_error(tmp_path, DATABASE_URL=f"{scheme}://nobody@127.0.0.1:{free_port()}/conversations")
    assert re.match(r"CommandError: Can't use the database: .*127\.0\.0\.1", line)


@pytest.mark.slow
def test_missing_database_directory_is_reported_in_one_line(tmp_path):
    line = startup_error(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path / 'nowhere' / 'broken.sqlite3'}")
    assert line == "CommandError: Can't use the database: unable to open database file"


@pytest.mark.slow
def test_file_that_is_not_a_database_is_reported_in_one_line(tmp_path):
    file = tmp_path / "letter.sqlite3"
    file.write_text("Dear database, " * 1000)
    line = startup_error(tmp_path, DATABASE_URL=f"sqlite:///{file}")
    assert line == "CommandError: Can't use the database: file is not a database"


@pytest.mark.parametrize("port", [-1, 0, 65536, 70000])
def test_a_port_out_of_range_is_refused(port):
    with pytest.raises(CommandError, match="The port must be between 1 and 65535"):
        call_command("serve", port=port)


def test_zero_workers_are_refused():
    with pytest.raises(CommandError, match="must be at least 1"):
        call_command("serve", workers=0)


@pytest.mark.parametrize(
    ("allowed_hosts", "option"),
    [
        (["localhost", "127.0.0.1"], ""),
        (["*"], ""),
        ([".example.com", "other.example"], "-H 'Host: example.com' "),
    ],
)
def test_printed_command_names_a_host_that_is_answered(db, settings, capsys, allowed_hosts, option):
    settings.ALLOWED_HOSTS = allowed_hosts
    Command()._create_first_secrets("http://127.0.0.1:8000")
    assert (
        f"curl http://127.0.0.1:8000/v1/conversations {option}-H 'Authorization: Bearer sk-conv-"
        in capsys.readouterr().out
    )


def test_interrupted_preparation_of_the_database_is_reported_in_one_line(db, monkeypatch):
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("django.db.migrations.executor.MigrationExecutor.migrate", interrupt)
    if connection.vendor == "sqlite":  # Other processes can't prepare a database in memory.
        monkeypatch.setitem(connection.settings_dict, "NAME", "conversations.sqlite3")
    with pytest.raises(CommandError, match="Interrupted while the database was prepared") as raised:
        Command()._prepare_database("http://127.0.0.1:8000", migrate=True)
    assert raised.value.returncode == 130
