import pytest

from conversations.models import Conversation, Item
from conversations.routing import ReplicaRouter, database_to_read


@pytest.fixture
def router(settings) -> ReplicaRouter:
    settings.CONVERSATIONS_REPLICA = "copy"
    return ReplicaRouter()


def test_without_a_replica_nothing_is_routed(settings):
    settings.CONVERSATIONS_REPLICA = ""
    router = ReplicaRouter()
    assert database_to_read(1) is None
    assert router.db_for_write(Conversation, instance=Conversation()) is None
    assert router.allow_migrate("default", "conversations") is None


def test_what_was_read_from_the_replica_is_written_to_the_primary(router):
    read = Conversation.from_db("copy", ["id"], ["conv_1"])
    assert router.db_for_write(Conversation, instance=read) == "default"
    assert router.db_for_write(Conversation, instance=Conversation.from_db("other", ["id"], ["conv_1"])) is None
    assert router.db_for_write(Conversation) is None


def test_rows_of_both_are_related_and_those_of_others_are_not(router):
    read = Conversation.from_db("copy", ["id"], ["conv_1"])
    assert router.allow_relation(read, Item.from_db("default", ["id"], [1])) is True
    assert router.allow_relation(read, Item.from_db("other", ["id"], [1])) is None


def test_nothing_is_migrated_on_the_replica(router):
    assert router.allow_migrate("copy", "conversations") is False
    assert router.allow_migrate("default", "conversations") is None
