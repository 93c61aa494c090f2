import pytest
from django.contrib.auth.models import User

from conversations.models import APIKey


@pytest.fixture
def alice(db) -> User:
    return User.objects.create_user("alice")


@pytest.fixture
def bob(db) -> User:
    return User.objects.create_user("bob")


@pytest.fixture
def alice_secret(alice) -> str:
    return APIKey.create(user=alice)[1]


@pytest.fixture
def bob_secret(bob) -> str:
    return APIKey.create(user=bob)[1]
