import hashlib
from datetime import timedelta

from django.utils import timezone

from conversations.models import APIKey


def test_only_the_hash_of_a_secret_is_kept(alice):
    key, secret = APIKey.create(user=alice, name="ci")
    stored = APIKey.objects.values().get()
    assert secret.startswith("sk-conv-")
    assert len(secret) == len("sk-conv-") + 43  # 256 bits in base 64
    assert stored["hash"] == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(stored)
    assert secret.startswith(stored["prefix"])
    assert len(stored["prefix"]) < 20
    assert str(key) == f"ci ({key.prefix}…)"


def test_a_secret_finds_its_key_and_user_in_one_query(alice, django_assert_num_queries):
    key, secret = APIKey.create(user=alice)
    with django_assert_num_queries(1):
        found = APIKey.authenticate(secret)
        assert (found, found.user) == (key, alice)


def test_another_secret_finds_none(alice):
    _, secret = APIKey.create(user=alice)
    for wrong in ("", secret[:-1], secret + "x", secret.upper(), f" {secret}"):
        assert APIKey.authenticate(wrong) is None


def test_a_key_ends_when_it_expires(alice):
    _, secret = APIKey.create(user=alice, expires_at=timezone.now() + timedelta(hours=1))
    assert APIKey.authenticate(secret)
    APIKey.objects.update(expires_at=timezone.now())
    assert APIKey.authenticate(secret) is None


def test_the_first_revocation_counts(alice):
    key, secret = APIKey.create(user=alice)
    key.revoke()
    revoked_at = key.revoked_at
    key.revoke()
    assert APIKey.authenticate(secret) is None
    assert APIKey.objects.get().revoked_at == revoked_at
