import hashlib
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.utils import timezone

from conversations.db.aliases import database_key
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


def test_look_up_that_overlaps_a_revocation_is_not_cached(alice):
    """The request that reads the key before its revocation may succeed; later ones must not."""
    key, secret = APIKey.create(user=alice)

    def revoke_after_reading(execute, sql, *args):
        result = execute(sql, *args)
        if sql.startswith("SELECT") and key.revoked_at is None:
            key.revoked_at = timezone.now()  # The statements of revoke() pass through here too.
            key.revoke()
        return result

    with connections[APIKey.objects.db].execute_wrapper(revoke_after_reading):
        APIKey.authenticate(secret)
    assert APIKey.objects.get().revoked_at
    assert APIKey.authenticate(secret) is None


@pytest.mark.django_db(transaction=True)
def test_revocation_in_a_transaction_applies_at_once_after_the_commit(alice):
    key, secret = APIKey.create(user=alice)
    committed = APIKey.objects.select_related("user").get()
    using = APIKey.objects.db
    with transaction.atomic(using=using):
        key.revoke()
        committed._add_to_cache(database_key(using))  # as another thread does that can't see the revocation yet
        assert APIKey.authenticate(secret)
    assert APIKey.authenticate(secret) is None


def test_rotated_key_works_beside_its_successor_until_the_overlap_is_over(alice, settings, monkeypatch):
    settings.CONVERSATIONS_API_KEY_SECONDS = 600
    old, old_secret = APIKey.create(user=alice, name="ci", can_write=False)
    assert APIKey.authenticate(old_secret)
    new, new_secret = old.rotate(overlap=timedelta(hours=1))
    assert (new.user, new.name, new.can_read, new.can_write, new.expires_at) == (alice, "ci", True, False, None)
    assert APIKey.authenticate(old_secret) == old
    assert APIKey.authenticate(new_secret) == new
    later = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert APIKey.authenticate(old_secret) is None
    assert APIKey.authenticate(new_secret) == new


def test_rotation_without_an_overlap_ends_the_old_key_at_once(alice):
    old, old_secret = APIKey.create(user=alice)
    assert APIKey.authenticate(old_secret)
    old.rotate(overlap=timedelta())
    assert APIKey.authenticate(old_secret) is None


def test_rotation_renews_the_lifetime_and_never_extends_the_old_key(alice):
    created_at = timezone.now() - timedelta(days=89)
    old, _ = APIKey.create(user=alice, expires_at=created_at + timedelta(days=90))
    APIKey.objects.update(created_at=created_at)
    new, _ = old.rotate(overlap=timedelta(days=30))
    assert new.expires_at - new.created_at > timedelta(days=89)
    assert APIKey.objects.get(pk=old.pk).expires_at == old.expires_at == created_at + timedelta(days=90)


@pytest.mark.parametrize("change", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now()}])
def test_revoked_and_expired_keys_cannot_be_rotated(alice, change):
    key, _ = APIKey.create(user=alice)
    APIKey.objects.update(**change)
    before = APIKey.objects.values().get()
    with pytest.raises(ValueError, match="can't be rotated"):
        key.rotate(overlap=timedelta(hours=1))
    assert APIKey.objects.values().get() == before


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("/run/service.sock", None),
    ],
)
def test_address_of_the_last_use_is_stored(alice, address, stored):
    key, _ = APIKey.create(user=alice)
    key.record_use(address)
    assert APIKey.objects.get().last_used_from == key.last_used_from == stored
