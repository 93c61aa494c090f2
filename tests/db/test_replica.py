import pytest
from django.core.cache import cache
from django.db import connections

from conversations.db import replica
from conversations.db.replica import ReplicaRouter, database_to_read
from conversations.models import Conversation, Item


@pytest.fixture
def router(settings) -> ReplicaRouter:
    settings.CONVERSATIONS_REPLICA = "copy"
    return ReplicaRouter()


def test_router_has_no_opinion_without_a_replica(settings):
    settings.CONVERSATIONS_REPLICA = ""
    router = ReplicaRouter()
    assert database_to_read(1) is None
    assert router.db_for_write(Conversation, instance=Conversation()) is None
    assert router.allow_migrate("default", "conversations") is None


def test_objects_read_from_the_replica_are_written_to_the_primary(router):
    read = Conversation.from_db("copy", ["id"], ["conv_1"])
    assert router.db_for_write(Conversation, instance=read) == "default"
    assert router.db_for_write(Conversation, instance=Conversation.from_db("other", ["id"], ["conv_1"])) is None
    assert router.db_for_write(Conversation) is None


def test_relations_are_allowed_between_primary_and_replica_only(router):
    read = Conversation.from_db("copy", ["id"], ["conv_1"])
    assert router.allow_relation(read, Item.from_db("default", ["id"], [1])) is True
    assert router.allow_relation(read, Item.from_db("other", ["id"], [1])) is None


def test_replica_is_not_migrated(router):
    assert router.allow_migrate("copy", "conversations") is False
    assert router.allow_migrate("default", "conversations") is None


@pytest.fixture
def tenants(router, settings, monkeypatch):
    """A replica that has replayed no write yet, and a function that selects a schema on it and on the primary."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "tenants"}}
    monkeypatch.setitem(connections.databases, "copy", connections.databases["default"])
    monkeypatch.setattr(replica, "_has_replayed", lambda replica, position: position is None)
    monkeypatch.setattr(replica, "_record_position", lambda key, token: "0/1")

    def select(schema: str, *aliases: str) -> None:
        for alias in aliases or ("default", "copy"):
            monkeypatch.setattr(connections[alias], "schema_name", schema, raising=False)

    cache.clear()
    yield select
    monkeypatch.undo()
    del connections["copy"]


def test_a_write_counts_only_in_the_schema_that_it_was_made_in(db, tenants, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        tenants("acme")
        replica.track_owner_writes(lambda: Conversation(owner_id=1))()
        tenants("zen")
    assert database_to_read(1) == "copy"
    tenants("acme")
    assert database_to_read(1) == "default"
    assert database_to_read(2) == "copy"


def test_a_replica_with_another_schema_is_not_read(tenants):
    tenants("acme")
    assert database_to_read(1) == "copy"
    tenants("zen", "default")
    assert database_to_read(1) == "default"
