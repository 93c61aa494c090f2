"""A service that has run out of disk space or of file handles: it answers 503 until there is room again."""

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection

from tests.live.client import Client, user_message
from tests.live.service import Service

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's limits of other processes"),
]
CLIENTS = 16  # twice as many as the service has threads that run Django


@contextmanager
def limited(service: Service, name: int, value: int) -> Iterator[None]:
    """Give this limit to the workers until the end of the block."""
    limits = {worker: resource.prlimit(worker, name) for worker in service.workers}
    for worker, (_, maximum) in limits.items():
        resource.prlimit(worker, name, (value, maximum))
    yield
    for worker, limit in limits.items():
        resource.prlimit(worker, name, limit)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="another process writes the files of the others")
def test_sqlite_on_a_full_disk_answers_503_and_recovers(service):
    """The limit of the size of files stands for the size of the disk. It leaves room for the log, not for the item."""
    large = user_message("x" * 1_000_000)
    service.variables["LOG_LEVEL"] = "WARNING"
    service.start()
    client = Client(service.port, service.secret)
    status, conversation = client.post("/conversations")
    assert status == 200
    items = f"/conversations/{conversation['id']}/items"
    with limited(service, resource.RLIMIT_FSIZE, 500_000):
        for count in range(1, 4):
            status, answer = client.post(items, items=[large])
            assert (status, answer["error"]["type"], client.answer_headers["Retry-After"]) == (503, "server_error", "1")
            assert service.stderr.count("conversations.api: POST") == count
            assert client.get(items)[0] == 200
    assert client.post(items, items=[large])[0] == 200
    assert len(client.get(items)[1]["data"]) == 1
    client.close()
    service.terminate()
    assert service.wait() == 0


def test_service_without_file_handles_answers_503_and_recovers(service):
    """Threads that have no connection to the database yet can't open one, and other threads go on."""
    service.start()
    clients = [Client(service.port, service.secret) for _ in range(CLIENTS)]
    for client in clients:
        assert client.get("/unknown")[0] == 404  # It connects without a use of the database.

    def create(client: Client) -> int:
        status, answer = client.post("/conversations")
        assert ("id" in answer) == (status == 200)
        return status

    with ThreadPoolExecutor(CLIENTS) as executor:
        with limited(service, resource.RLIMIT_NOFILE, 3):
            statuses = [*executor.map(create, clients)]
        assert 503 in statuses
        assert {*statuses} <= {200, 503}
        assert [*executor.map(create, clients)] == [200] * CLIENTS
    stored = clients[0].get("/conversations?limit=100")[1]["data"]
    assert len(stored) == statuses.count(200) + CLIENTS
    for client in clients:
        client.close()
    service.stop()
