"""Several workers read from a streaming replica whose replay is paused. Run it under `.ci/with-replica`."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.db.models import QuerySet

from conversations.conf import app_settings
from conversations.models import Conversation
from tests.live.client import Client, user_message
from tests.live.replica import query_value, wait_for_replay
from tests.live.service import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not app_settings.replica, reason="there is no replica")

TIMES = 12  # requests, each on a new connection, so that every worker gets some


@contextmanager
def replay_paused() -> Iterator[None]:
    wait_for_replay()
    query_value("DATABASE_REPLICA_URL", "SELECT pg_wal_replay_pause()")
    try:
        wait_until(lambda: query_value("DATABASE_REPLICA_URL", "SELECT pg_get_wal_replay_pause_state()") == "paused")
        yield
    finally:
        query_value("DATABASE_REPLICA_URL", "SELECT pg_wal_replay_resume()")


class Caller:
    def __init__(self, service: Service, secret: str) -> None:
        self.service = service
        self.secret = secret

    def post(self, path: str, **body: Any) -> Any:
        with closing(Client(self.service.port, self.secret)) as client:
            status, response = client.post(path, **body)
            assert status == 200, response
            return response

    def delete(self, path: str) -> None:
        with closing(Client(self.service.port, self.secret)) as client:
            assert client.delete(path)[0] == 200

    def distinct_responses(self, path: str) -> list[Any]:
        """Return the different responses of the workers: the data of a list, the metadata, or the whole body."""
        responses = []
        for _ in range(TIMES):
            with closing(Client(self.service.port, self.secret)) as client:
                _, body = client.get(path)
            content = body.get("data", body.get("metadata", body))
            if content not in responses:
                responses.append(content)
        return responses


@pytest.fixture
def alice_and_bob(service) -> tuple[Caller, Caller]:
    service.start()
    return Caller(service, service.secret), Caller(service, service.create_api_key("bob"))


def change_metadata_untracked(service: Service, conversation: Any, metadata: dict[str, str]) -> None:
    """Change the row on the primary without recording that its owner wrote."""
    with service.database.open() as alias:
        assert QuerySet(Conversation, using=alias).filter(pk=conversation["id"]).update(metadata=metadata)


def test_writer_reads_its_own_write_and_others_read_the_replica(service, alice_and_bob):
    alice, bob = alice_and_bob
    bobs = bob.post("/conversations", metadata={"on": "both"})
    alices = alice.post("/conversations", metadata={"topic": "first"}, items=[user_message("one")])
    path = f"/conversations/{alices['id']}"
    with replay_paused():
        change_metadata_untracked(service, bobs, {"on": "the primary"})
        assert bob.distinct_responses(f"/conversations/{bobs['id']}") == [{"on": "both"}]

        alice.post(path, metadata={"topic": "second"})
        assert alice.distinct_responses(path) == [{"topic": "second"}]
        assert [
            [conversation["id"] for conversation in data]
            for data in alice.distinct_responses("/conversations?metadata[topic]=second")
        ] == [[alices["id"]]]
        assert alice.distinct_responses("/conversation_metadata/values?key=topic") == [["second"]]
        [added] = alice.post(f"{path}/items", items=[user_message("two")])["data"]
        assert alice.distinct_responses(f"{path}/items?limit=1") == [[added]]
        assert alice.distinct_responses(f"{path}/items/{added['id']}") == [added]
        alice.delete(f"{path}/items/{added['id']}")
        [[item]] = alice.distinct_responses(f"{path}/items")
        assert item["content"][0]["text"] == "one"
        new = alice.post("/conversations", metadata={"topic": "third"})
        assert alice.distinct_responses(f"/conversations/{new['id']}") == [{"topic": "third"}]
        alice.delete(path)
        assert [body["error"]["type"] for body in alice.distinct_responses(path)] == ["invalid_request_error"]

        assert bob.distinct_responses(f"/conversations/{bobs['id']}") == [{"on": "both"}]
    wait_for_replay()
    assert bob.distinct_responses(f"/conversations/{bobs['id']}") == [{"on": "the primary"}]
    service.stop()


def test_writer_reads_from_the_replica_once_it_has_caught_up(service, alice_and_bob):
    alice, _bob = alice_and_bob
    conversation = alice.post("/conversations", metadata={"on": "both"})
    with replay_paused():
        change_metadata_untracked(service, conversation, {"on": "the primary"})
        assert alice.distinct_responses(f"/conversations/{conversation['id']}")[-1] == {"on": "both"}
        assert alice.distinct_responses(f"/conversations/{conversation['id']}") == [{"on": "both"}]


def test_writes_read_from_the_primary(service, alice_and_bob):
    _alice, bob = alice_and_bob
    with replay_paused():
        with service.database.open() as alias:
            owner = Conversation.objects.using(alias).model._meta.get_field("owner").related_model
            bobs = Conversation(owner=owner.objects.using(alias).get(username="bob"), created_at="2026-01-01T00:00Z")
            bobs.save(using=alias)
        assert "error" in bob.distinct_responses(f"/conversations/{bobs.pk}")[0]
        bob.post(f"/conversations/{bobs.pk}/items", items=[user_message("one")])
        assert [len(items) for items in bob.distinct_responses(f"/conversations/{bobs.pk}/items")] == [1]


def test_primary_is_read_if_the_replica_is_unreachable(database, tmp_path):
    service = Service(database, tmp_path, DATABASE_REPLICA_URL="postgres://%2Fnowhere/conversations")
    try:
        service.start()
        alice = Caller(service, service.secret)
        conversation = alice.post("/conversations", metadata={"topic": "demo"})
        assert alice.distinct_responses(f"/conversations/{conversation['id']}") == [{"topic": "demo"}]
    finally:
        service.kill()


def test_connections_ended_by_the_replica_are_reopened(service, alice_and_bob):
    _alice, bob = alice_and_bob
    bobs = bob.post("/conversations", metadata={"on": "both"})
    wait_for_replay()
    assert bob.distinct_responses(f"/conversations/{bobs['id']}") == [{"on": "both"}]
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = "
    assert query_value("DATABASE_REPLICA_URL", f"{ended}'{service.database.name}'") > 0
    assert bob.distinct_responses(f"/conversations/{bobs['id']}") == [{"on": "both"}]
    service.stop()
