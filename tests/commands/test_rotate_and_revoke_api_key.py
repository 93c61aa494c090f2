from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from conversations.models import APIKey


def run_command(name: str, *arguments: str) -> str:
    stdout = StringIO()
    call_command(name, *arguments, stdout=stdout, stderr=StringIO())
    return stdout.getvalue()


@pytest.mark.parametrize("way", ["prefix", "prefix with an ellipsis", "secret", "standard input"])
def test_key_is_revoked_by_its_prefix_or_secret(alice, monkeypatch, way):
    other, _ = APIKey.create(user=alice)
    key, secret = APIKey.create(user=alice, name="ci")
    assert APIKey.authenticate(secret)
    monkeypatch.setattr("sys.stdin", StringIO(f"{secret}\n"))
    argument = {"prefix": key.prefix, "prefix with an ellipsis": f"{key.prefix}…", "secret": secret}.get(way, "-")
    output = run_command("revoke_api_key", argument)
    assert output == f"Revoked {key} of alice. Every process refuses it within 5 seconds.\n"
    assert APIKey.authenticate(secret) is None
    assert APIKey.objects.get(revoked_at=None) == other
    monkeypatch.setattr("sys.stdin", StringIO(f"{key.prefix}\n"))
    assert run_command("revoke_api_key", argument) == f"{key} of alice was revoked before.\n"


@pytest.mark.parametrize("name", ["revoke_api_key", "rotate_api_key"])
def test_unknown_prefixes_and_secrets_are_refused(alice, name):
    _, secret = APIKey.create(user=alice)
    for argument, kind in (("sk-conv-", "prefix"), ("", "prefix"), (f"{secret}x", "secret"), (secret[:-1], "secret")):
        with pytest.raises(CommandError) as raised:
            run_command(name, argument)
        assert str(raised.value) == f"No API key has this {kind}."
    assert APIKey.objects.get().is_active


@pytest.mark.parametrize("name", ["revoke_api_key", "rotate_api_key"])
def test_prefix_of_several_keys_is_refused(alice, name):
    key, _ = APIKey.create(user=alice)
    APIKey.create(user=alice)
    APIKey.objects.update(prefix=key.prefix)
    with pytest.raises(CommandError, match="Several API keys have this prefix"):
        run_command(name, key.prefix)
    assert APIKey.objects.filter(revoked_at=None, expires_at=None).count() == 2


def test_rotation_prints_the_new_secret_and_ends_the_old_key_after_the_overlap(alice):
    old, old_secret = APIKey.create(user=alice, name="ci", can_read=False)
    before = timezone.now()
    secret = run_command("rotate_api_key", old.prefix, "--overlap-hours", "0.5").splitlines()[-1]
    new = APIKey.authenticate(secret)
    assert (new.user, new.name, new.can_read, new.can_write) == (alice, "ci", False, True)
    assert APIKey.authenticate(old_secret) == old
    old.refresh_from_db()
    assert before + timedelta(minutes=30) <= old.expires_at <= timezone.now() + timedelta(minutes=30)


@pytest.mark.parametrize("hours", ["-1", "nan", "inf", "1000000"])
def test_invalid_overlap_is_refused(alice, hours):
    key, _ = APIKey.create(user=alice)
    with pytest.raises(CommandError, match="--overlap-hours must be from 0 to 87600"):
        run_command("rotate_api_key", key.prefix, f"--overlap-hours={hours}")
    assert APIKey.objects.get().expires_at is None


def test_revoked_key_is_not_rotated(alice):
    key, _ = APIKey.create(user=alice)
    key.revoke()
    with pytest.raises(CommandError, match="Create one with create_api_key instead"):
        run_command("rotate_api_key", key.prefix)
    assert APIKey.objects.get() == key
