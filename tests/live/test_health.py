"""Health checks of a service whose database does not answer, or whose disk is full."""

import http.client
import json
import resource
import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from tests.live.client import Client
from tests.live.service import Service
from tests.waiting import wait_until


def get(service: Service, path: str) -> tuple[int, dict]:
    link = http.client.HTTPConnection("127.0.0.1", service.port, timeout=300)
    try:
        link.request("GET", path, headers={"Host": "load-balancer.example"})
        response = link.getresponse()
        return response.status, json.loads(response.read())
    finally:
        link.close()


def failed_checks(service: Service) -> set[str]:
    status, answer = get(service, "/readyz")
    failed = {name for name, result in answer["checks"].items() if result != "ok"}
    assert (status, answer["status"]) == ((503, "failed") if failed else (200, "ok"))
    return failed


def test_process_is_alive_while_all_its_threads_wait_for_the_database(service, database):
    service.start("--workers", "1", "--threads", "1")
    client = Client(service.port, service.secret)
    statuses = []
    with database.open() as alias, transaction.atomic(using=alias):
        User.objects.using(alias).select_for_update().get()  # SQLite's transactions lock the whole database.
        waiting = threading.Thread(target=lambda: statuses.append(client.post("/conversations")[0]))
        waiting.start()
        for _ in range(20):
            assert get(service, "/healthz") == (200, {"status": "ok"})
        assert statuses == []
    waiting.join()
    assert statuses == [200]
    client.close()
    service.stop()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's limits of other processes")
def test_service_with_a_full_disk_is_not_ready_until_there_is_room(database, tmp_path):
    """The limit of the size of files stands for the size of the disk."""
    (tmp_path / "cache").mkdir()
    service = Service(database, tmp_path, CACHE_URL=f"file://{tmp_path}/cache")
    try:
        service.start("--workers", "1")
        assert failed_checks(service) == set()
        [worker] = service.workers
        unlimited = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        wait_until(lambda: failed_checks(service) == {"disk"})
        assert get(service, "/healthz")[0] == 200
        resource.prlimit(worker, resource.RLIMIT_FSIZE, unlimited)
        wait_until(lambda: failed_checks(service) == set())
        service.interrupt()
        assert service.wait() == 0
    finally:
        service.kill()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL refuses connections to one database")
def test_service_without_its_database_is_not_ready_until_it_is_back(service, database):
    service.start()
    assert failed_checks(service) == set()
    database.refuse_connections()
    wait_until(lambda: failed_checks(service) == {"database", "migrations"})
    assert get(service, "/healthz")[0] == 200
    database.accept_connections()
    wait_until(lambda: failed_checks(service) == set())
    service.interrupt()
    assert service.wait() == 0
