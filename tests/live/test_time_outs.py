"""Requests that wait too long for the database get a 503, and the official client retries until they succeed."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx2
import pytest
from django.db import connection, transaction
from django.db.models import F
from openai import InternalServerError, OpenAI

from conversations.models import Conversation, Item
from tests.live.database import ScratchDatabase
from tests.live.service import Service
from tests.waiting import SECONDS

ITEM = {"type": "message", "role": "user", "content": "Hello!"}


@pytest.fixture(scope="module")
def service_with_lock_timeout(tmp_path_factory, django_db_setup, django_db_blocker) -> Iterator[Service]:
    """A service whose statements wait at most one second for a lock."""
    directory = tmp_path_factory.mktemp("lock_timeout")
    database = ScratchDatabase(directory, django_db_blocker)
    database.create()
    if os.environ.get("DATABASE_POOLER"):  # The service can't set the time-out through a pooler.
        database.limit_lock_waits(1)
    service = Service(database, directory, DATABASE_LOCK_TIMEOUT="1")
    try:
        service.start()
        yield service
    finally:
        service.kill()
        database.drop()


@contextmanager
def lock_conversation(service: Service, conversation_id: str) -> Iterator[None]:
    with service.database.open() as alias, transaction.atomic(using=alias):
        Conversation.objects.using(alias).filter(pk=conversation_id).update(last_position=F("last_position"))
        yield


class RecordingClient:
    """The official client, and the responses to all its requests, retries included."""

    def __init__(self, service: Service, *, max_retries: int = 10) -> None:
        self.statuses: list[int] = []
        self.headers: list[httpx2.Headers] = []
        self.has_failed = threading.Event()
        http_client = httpx2.Client(event_hooks={"response": [self._record]})
        self.client = OpenAI(
            base_url=service.base_url, api_key=service.secret, http_client=http_client, max_retries=max_retries
        )

    def append(self, conversation_id: str) -> None:
        self.client.conversations.items.create(conversation_id, items=[ITEM])

    def _record(self, response: httpx2.Response) -> None:
        self.statuses.append(response.status_code)
        self.headers.append(response.headers)
        if response.status_code == 503:
            self.has_failed.set()


@pytest.fixture
def connect() -> Iterator[Callable[..., RecordingClient]]:
    with ExitStack() as stack:

        def connect(service: Service, **options: int) -> RecordingClient:
            recording = RecordingClient(service, **options)
            stack.enter_context(recording.client)
            return recording

        yield connect


def test_official_client_retries_until_the_lock_is_released(service_with_lock_timeout, connect):
    recording = connect(service_with_lock_timeout)
    conversations = recording.client.conversations
    conversation = conversations.create()
    with lock_conversation(service_with_lock_timeout, conversation.id):
        appending = threading.Thread(
            target=conversations.items.create, args=[conversation.id], kwargs={"items": [ITEM]}
        )
        appending.start()
        assert recording.has_failed.wait(SECONDS)
    appending.join()
    assert (recording.statuses[0], recording.statuses[-1]) == (200, 200)
    assert set(recording.statuses[1:-1]) == {503}
    assert len(conversations.items.list(conversation.id).data) == 1


def test_held_lock_gives_a_503_error_with_retry_after(service_with_lock_timeout, connect):
    recording = connect(service_with_lock_timeout, max_retries=0)
    conversation = recording.client.conversations.create()
    with lock_conversation(service_with_lock_timeout, conversation.id), pytest.raises(InternalServerError) as raised:
        recording.append(conversation.id)
    assert raised.value.status_code == 503
    assert recording.headers[-1]["retry-after"] == "1"
    assert raised.value.response.json() == {
        "error": {
            "message": "The server is currently overloaded or not ready yet. Please try again later.",
            "type": "server_error",
            "param": None,
            "code": None,
        }
    }
    with service_with_lock_timeout.database.open() as alias:
        assert not Item.objects.using(alias).filter(conversation=conversation.id).exists()


@pytest.mark.skipif(
    connection.vendor == "sqlite" or "DATABASE_POOLER" in os.environ, reason="the service can't limit statements there"
)
def test_statement_beyond_the_time_out_is_cancelled(database, tmp_path, connect):
    service = Service(database, tmp_path, DATABASE_LOCK_TIMEOUT="0", DATABASE_STATEMENT_TIMEOUT="1")
    service.start()
    try:
        recording = connect(service)
        conversation = recording.client.conversations.create()
        with lock_conversation(service, conversation.id):
            appending = threading.Thread(target=recording.append, args=[conversation.id])
            appending.start()
            assert recording.has_failed.wait(SECONDS)
        appending.join()
        assert (recording.statuses[0], recording.statuses[-1]) == (200, 200)
        assert set(recording.statuses[1:-1]) == {503}
    finally:
        service.kill()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the others can't refuse the connections to one database")
def test_official_client_retries_until_the_database_accepts_connections(database, service, connect):
    service.start()
    recording = connect(service)
    conversation = recording.client.conversations.create()
    database.refuse_connections()
    reading = threading.Thread(target=recording.client.conversations.retrieve, args=[conversation.id])
    reading.start()
    assert recording.has_failed.wait(SECONDS)
    database.accept_connections()
    reading.join()
    assert (recording.statuses[0], recording.statuses[-1]) == (200, 200)
    assert set(recording.statuses[1:-1]) == {503}
