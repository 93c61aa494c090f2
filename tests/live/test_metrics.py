"""The metrics of a service whose processes come and go."""

import http.client
import os
import signal
from pathlib import Path

import pytest

from tests.live.client import Client, user_message
from tests.live.service import WORKERS, Service
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's table of processes")
TOKEN = "metrics-token"

parser = pytest.importorskip("prometheus_client.parser")


@pytest.fixture
def measured_service(database, tmp_path):
    service = Service(database, tmp_path, METRICS_TOKEN=TOKEN, TMPDIR=str(tmp_path))
    yield service
    service.kill()


def read(service: Service, token: str = TOKEN, host: str = "10.0.0.7") -> tuple[int, dict[tuple[str, ...], float]]:
    """Return the status, and the value of each sample by its name and the values of its labels."""
    link = http.client.HTTPConnection("127.0.0.1", service.port, timeout=300)
    try:
        link.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}", "Host": host})
        response = link.getresponse()
        text = response.read().decode()
    finally:
        link.close()
    if response.status != 200:
        return response.status, {}
    families = parser.text_string_to_metric_families(text)
    return 200, {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def append(service: Service, count: int) -> None:
    for _ in range(count):
        client = Client(service.port, service.secret)
        status, _conversation = client.post("/conversations", items=[user_message("x"), user_message("y")])
        assert status == 200
        client.close()


def count_creates(service: Service) -> float:
    return read(service)[1].get(("conversations_requests_total", "POST", "/v1/conversations", "200"), 0)


@pytest.mark.slow
def test_metrics_are_the_sums_of_all_processes_of_the_past_and_the_present(measured_service, tmp_path):
    service = measured_service
    service.start("--threads", "3")
    append(service, 10)
    assert read(service, "wrong")[0] == 401
    for _ in range(3):
        [victim, *_] = service.workers
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda gone=victim: gone not in service.workers and len(service.workers) == WORKERS)
    service.reload()
    append(service, 10)
    old = set(service.workers)
    wait_until(lambda: not old & set(service.workers) or len(service.workers) == WORKERS)
    wait_until(lambda: read(service)[1].get(("conversations_threads",)) == 3 * WORKERS)
    append(service, 10)
    wait_until(lambda: read(service)[1]["conversations_database_connections",] >= 1)  # updated at intervals
    values = read(service)[1]
    assert count_creates(service) == 30
    assert values["conversations_items_written_total",] == 60
    assert values["conversations_request_seconds_count", "POST", "/v1/conversations"] == 30
    assert values["conversations_database_connections",] <= 3 * WORKERS
    assert {("conversations_threads_busy",), ("conversations_requests_waiting",), ("conversations_bodies",)} < set(
        values
    )
    [folder] = tmp_path.glob("conversations-metrics-*")
    assert len(list(folder.glob("*.seat"))) <= 2 * WORKERS
    service.interrupt()
    assert service.wait() == 0
    assert not folder.exists()


def test_service_without_a_token_has_no_metrics(live_service):
    assert read(live_service, "", "localhost")[0] == 404
