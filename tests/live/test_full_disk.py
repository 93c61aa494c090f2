"""A service whose disk is full: writes get a 503 until there is room again, and reads go on."""

import resource

import pytest
from django.db import connection

from tests.live.client import Client, user_message


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "sqlite", reason="another process writes the files of the others")
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's limits of other processes")
def test_sqlite_on_a_full_disk_answers_503_and_recovers(service):
    """The limit of the size of files stands for the size of the disk."""
    service.start()
    client = Client(service.port, service.secret)
    status, conversation = client.post("/conversations")
    assert status == 200
    items = f"/conversations/{conversation['id']}/items"
    unlimited = [resource.prlimit(worker, resource.RLIMIT_FSIZE) for worker in service.workers]
    for worker in service.workers:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    for _ in range(3):
        status, answer = client.post(items, items=[user_message("x" * 100_000)])
        assert (status, answer["error"]["type"]) == (503, "server_error")
        assert client.get(items)[0] == 200
    for worker, limits in zip(service.workers, unlimited, strict=True):
        resource.prlimit(worker, resource.RLIMIT_FSIZE, limits)
    assert client.post(items, items=[user_message("x" * 100_000)])[0] == 200
    assert len(client.get(items)[1]["data"]) == 1
    client.close()
    service.stop()
