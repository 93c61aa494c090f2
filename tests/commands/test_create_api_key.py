from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from conversations.api_key_secrets import SECRET_PREFIX
from conversations.models import APIKey
from tests.live.client import Client
from tests.live.service import manage


def run_command(*arguments: str, stderr: StringIO | None = None) -> str:
    stdout = StringIO()
    call_command("create_api_key", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue()


def test_secret_is_printed_alone_on_the_last_line(alice):
    output = run_command("alice")
    secret = output.splitlines()[-1]
    assert secret.startswith(SECRET_PREFIX)
    assert output.endswith(f"{secret}\n")
    assert APIKey.authenticate(secret).user == alice


def test_each_call_creates_another_key(alice):
    assert run_command("alice") != run_command("alice")
    assert alice.conversations_api_keys.count() == 2


def test_name_is_stored(alice):
    run_command("alice", "--name", "notebook")
    assert alice.conversations_api_keys.get().name == "notebook"


@pytest.mark.parametrize("scopes", [["read"], ["write"], ["read", "write"]])
def test_scopes_and_expiry_are_stored(alice, scopes):
    before = timezone.now()
    run_command("alice", "--scopes", *scopes, "--expires-in-days", "1.5")
    key = APIKey.objects.get()
    assert [scope for scope in ("read", "write") if key.has_scope(scope)] == scopes
    assert before + timedelta(hours=36) <= key.expires_at <= timezone.now() + timedelta(hours=36)


@pytest.mark.parametrize("days", ["0", "-1", "nan", "1e9"])
def test_invalid_expiry_is_refused(alice, days):
    with pytest.raises(CommandError, match="--expires-in-days must be more than 0 and at most 36500"):
        run_command("alice", f"--expires-in-days={days}")
    assert not APIKey.objects.exists()


def test_too_long_name_is_refused(alice):
    with pytest.raises(CommandError, match="The name is longer than 100 characters"):
        run_command("alice", "--name", "n" * 101)
    assert not APIKey.objects.exists()


def test_an_unknown_user_is_refused(db):
    with pytest.raises(CommandError, match="There is no user 'carol'"):
        run_command("carol")
    assert not User.objects.exists()


def test_unknown_user_is_created_with_the_create_user_option(db):
    stderr = StringIO()
    secret = run_command("carol", "--create-user", stderr=stderr).splitlines()[-1]
    carol = User.objects.get()
    assert APIKey.authenticate(secret).user == carol
    assert carol.username == "carol"
    assert not carol.has_usable_password()
    assert not carol.is_staff
    assert stderr.getvalue() == (
        "Created the user 'carol', who can use the API and has no password. For the admin, set one with "
        "changepassword, and let a superuser grant the staff status.\n"
    )


def test_name_that_the_user_model_refuses_creates_no_user(db):
    with pytest.raises(CommandError) as raised:
        run_command("carol smith", "--create-user")
    assert str(raised.value) == (
        "There is no user 'carol smith', and none can be created: Enter a valid username. This value may contain only "
        "letters, numbers, and @/./+/-/_ characters. Create the user in the admin or with createsuperuser, and run "
        "create_api_key again without --create-user."
    )
    assert not User.objects.exists()


def test_existing_user_is_not_created_again(alice):
    run_command("alice", "--create-user")
    assert User.objects.get() == alice


def test_invalid_name_creates_no_user(db):
    with pytest.raises(CommandError):
        run_command("carol", "--create-user", "--name", "n" * 101)
    assert not User.objects.exists()


@pytest.mark.slow
def test_the_printed_secret_works_at_once(live_service):
    created = manage("create_api_key", "dora", "--create-user", "--name", "notebook", **live_service.variables)
    assert created.returncode == 0
    assert created.stderr == (
        "Created the user 'dora', who can use the API and has no password. For the admin, set one with changepassword, "
        "and let a superuser grant the staff status.\n"
    )
    secret = created.stdout.splitlines()[-1]
    client = Client(live_service.port, secret)
    status, _ = client.post("/conversations")
    client.close()
    assert status == 200


@pytest.mark.slow
def test_unknown_user_error_is_one_line_on_stderr(live_service):
    process = manage("create_api_key", "nobody", **live_service.variables)
    assert (process.returncode, process.stdout) == (1, "")
    assert process.stderr == "CommandError: There is no user 'nobody'. Check the name, or add --create-user.\n"


@pytest.mark.slow
def test_database_without_tables_is_reported_in_one_line(tmp_path):
    process = manage("create_api_key", "alice", DATABASE_URL=f"sqlite:///{tmp_path / 'new.sqlite3'}", SECRET_KEY="x")
    assert process.returncode == 1
    [line] = process.stderr.splitlines()
    assert line.startswith("CommandError: Can't use the database: no such table: auth_user.")
