import hashlib
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from conversations.models import APIKey


class ReadsElsewhere:
    """A router that reads from another alias."""

    def db_for_read(self, model, **hints):
        return "elsewhere"


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """Another alias, of the same connection so that it shares the test's transaction."""
    connections["elsewhere"] = connections["default"]
    yield
    del connections["elsewhere"]


@pytest.fixture
def switch_schema(monkeypatch):
    """A function that selects a schema, as django-tenants does for each request."""

    def switch_schema(name: str) -> None:
        monkeypatch.setattr(connections["default"], "schema_name", name, raising=False)

    return switch_schema


def test_only_the_hash_of_a_secret_is_stored(alice):
    key, secret = APIKey.create(user=alice, name="ci")
    stored = APIKey.objects.values().get()
    assert secret.startswith("sk-conv-")
    assert len(secret) == len("sk-conv-") + 43  # 256 bits in base 64
    assert stored["hash"] == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(stored)
    assert secret.startswith(stored["prefix"])
    assert len(stored["prefix"]) < 20
    assert str(key) == f"ci ({key.prefix}…)"


def test_authentication_loads_key_and_user_in_one_query(alice, django_assert_num_queries):
    key, secret = APIKey.create(user=alice)
    with django_assert_num_queries(1):
        found = APIKey.authenticate(secret)
        assert (found, found.user) == (key, alice)


def test_authentication_is_cached(alice, django_assert_num_queries, settings):
    _, secret = APIKey.create(user=alice)
    with django_assert_num_queries(1):
        for _ in range(3):
            assert APIKey.authenticate(secret)
    settings.CONVERSATIONS_API_KEY_SECONDS = 0
    _, secret = APIKey.create(user=alice)
    with django_assert_num_queries(3):
        for _ in range(3):
            assert APIKey.authenticate(secret)


def test_revocation_by_another_process_applies_when_the_cache_expires(alice, settings, monkeypatch):
    settings.CONVERSATIONS_API_KEY_SECONDS = 600
    key, secret = APIKey.create(user=alice)
    assert APIKey.authenticate(secret)
    APIKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())  # as seen from here
    assert APIKey.authenticate(secret)
    later = time.monotonic() + 601
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert APIKey.authenticate(secret) is None


def test_revocation_by_the_same_process_applies_at_once(alice):
    key, secret = APIKey.create(user=alice)
    assert APIKey.authenticate(secret)
    key.revoke()
    assert APIKey.authenticate(secret) is None


def test_cached_key_expires_on_time(alice, settings, monkeypatch):
    settings.CONVERSATIONS_API_KEY_SECONDS = 600
    expires_at = timezone.now() + timedelta(seconds=300)
    _, secret = APIKey.create(user=alice, expires_at=expires_at)
    assert APIKey.authenticate(secret)
    monkeypatch.setattr(timezone, "now", lambda: expires_at)
    assert APIKey.authenticate(secret) is None


def test_key_cache_is_limited_in_size(alice, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr("conversations.models.api_key.MAX_CACHED", 2)
    secrets = [APIKey.create(user=alice)[1] for _ in range(3)]
    for secret in secrets:
        assert APIKey.authenticate(secret)
    with django_assert_num_queries(1):
        assert APIKey.authenticate(secrets[2])
        assert APIKey.authenticate(secrets[0])


def test_a_key_is_looked_up_in_each_schema(alice, switch_schema, django_assert_num_queries):
    _, secret = APIKey.create(user=alice)
    for name in ("acme", "zen"):
        switch_schema(name)
        with django_assert_num_queries(1):
            for _ in range(3):
                assert APIKey.authenticate(secret)


def test_a_key_is_looked_up_in_each_database(alice, elsewhere, settings, django_assert_num_queries):
    _, secret = APIKey.create(user=alice)
    assert APIKey.authenticate(secret)._state.db == "default"
    settings.DATABASE_ROUTERS = [ReadsElsewhere()]
    with django_assert_num_queries(1):
        for _ in range(3):
            assert APIKey.authenticate(secret)._state.db == "elsewhere"


def test_a_revoked_key_is_refused_at_once_in_every_schema(alice, switch_schema):
    key, secret = APIKey.create(user=alice)
    for name in ("acme", "zen"):
        switch_schema(name)
        assert APIKey.authenticate(secret)
    key.revoke()
    for name in ("acme", "zen"):
        switch_schema(name)
        assert APIKey.authenticate(secret) is None


def test_wrong_secret_does_not_authenticate(alice):
    _, secret = APIKey.create(user=alice)
    for wrong in ("", secret[:-1], secret + "x", secret.upper(), f" {secret}"):
        assert APIKey.authenticate(wrong) is None


def test_expired_key_does_not_authenticate(alice, settings):
    settings.CONVERSATIONS_API_KEY_SECONDS = 0
    _, secret = APIKey.create(user=alice, expires_at=timezone.now() + timedelta(hours=1))
    assert APIKey.authenticate(secret)
    APIKey.objects.update(expires_at=timezone.now())
    assert APIKey.authenticate(secret) is None


def test_second_revocation_keeps_the_time_of_the_first(alice):
    key, secret = APIKey.create(user=alice)
    key.revoke()
    revoked_at = key.revoked_at
    key.revoke()
    assert APIKey.authenticate(secret) is None
    assert APIKey.objects.get().revoked_at == revoked_at
