from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from conversations.api_key_secrets import SECRET_PREFIX
from conversations.models import APIKey
from tests.live.client import Client
from tests.live.service import manage


def printed(*arguments: str) -> str:
    stdout = StringIO()
    call_command("create_api_key", *arguments, stdout=stdout)
    return stdout.getvalue()


def test_the_secret_is_alone_on_the_last_line(alice):
    output = printed("alice")
    secret = output.splitlines()[-1]
    assert secret.startswith(SECRET_PREFIX)
    assert output.endswith(f"{secret}\n")
    assert APIKey.authenticate(secret).user == alice


def test_each_call_makes_another_key(alice):
    assert printed("alice") != printed("alice")
    assert alice.conversations_api_keys.count() == 2


def test_a_name_is_kept(alice):
    printed("alice", "--name", "notebook")
    assert alice.conversations_api_keys.get().name == "notebook"


def test_too_long_a_name_is_refused(alice):
    with pytest.raises(CommandError, match="The name is longer than 100 characters"):
        printed("alice", "--name", "n" * 101)
    assert not APIKey.objects.exists()


def test_an_unknown_user_is_refused(db):
    with pytest.raises(CommandError, match="There is no user 'carol'"):
        printed("carol")
    assert not User.objects.exists()


def test_an_unknown_user_is_created_on_request(db):
    secret = printed("carol", "--create-user").splitlines()[-1]
    carol = User.objects.get()
    assert APIKey.authenticate(secret).user == carol
    assert carol.username == "carol"
    assert not carol.has_usable_password()
    assert not carol.is_staff


def test_a_known_user_is_not_created_again(alice):
    printed("alice", "--create-user")
    assert User.objects.get() == alice


def test_a_refused_name_creates_no_user(db):
    with pytest.raises(CommandError):
        printed("carol", "--create-user", "--name", "n" * 101)
    assert not User.objects.exists()


def test_the_printed_secret_works_at_once(live_service):
    created = manage("create_api_key", "dora", "--create-user", "--name", "notebook", **live_service.variables)
    assert created.returncode == 0
    assert created.stderr == ""
    secret = created.stdout.splitlines()[-1]
    client = Client(live_service.port, secret)
    status, _ = client.post("/conversations")
    client.close()
    assert status == 200


def test_an_unknown_user_is_one_line_on_stderr(live_service):
    refused = manage("create_api_key", "nobody", **live_service.variables)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "CommandError: There is no user 'nobody'. Name another, or add --create-user.\n"
