import http.client
import json
import re
import resource
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from conversations.models import APIKey, Conversation
from project.server import MAX_CONNECTIONS
from tests.live.client import Client, user_message
from tests.live.service import WORKERS, Service, manage
from tests.live.staff import Staff
from tests.waiting import SECONDS, wait_until

FEW_FILES = 256  # the limit of a shell or a container that the service is started from


def api_keys(database):
    with database.open() as alias:
        keys = APIKey.objects.using(alias).select_related("user")
        return [(key.hash, key.user.username, key.user.password, key.user.is_superuser) for key in keys]


def test_first_start_prints_secrets_and_a_working_curl_command(service):
    service.start()
    assert re.search(r"Created the superuser 'admin' with the password \S{16}\n", service.stdout)
    assert service.secret.startswith("sk-conv-")
    [line] = re.findall(r"^curl .*$", service.stdout, re.MULTILINE)
    curl = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=SECONDS)
    assert curl.returncode == 0, curl.stderr
    response = json.loads(curl.stdout)
    assert curl.stdout == json.dumps(response, indent=2)
    assert list(response) == ["id", "object", "created_at", "metadata"]
    assert (response["object"], response["metadata"]) == ("conversation", {"topic": "demo"})
    service.stop()


def test_the_printed_password_opens_the_admin(live_service):
    assert "Site administration" in Staff(live_service).front_page


@pytest.mark.slow
def test_second_start_prints_and_changes_no_secret(service, database):
    service.start()
    secret, before = service.secret, api_keys(database)
    service.stop()
    service.start()
    assert service.stdout == (
        f"Serving the API at {service.base_url} and the admin at http://127.0.0.1:{service.port}/admin/. "
        "Stop with Ctrl-C.\n"
    )
    client = Client(service.port, secret)
    assert client.post("/conversations")[0] == 200
    client.close()
    service.stop()
    assert api_keys(database) == before


def test_used_port_is_reported_in_one_line(live_service):
    refused = manage("serve", "--port", str(live_service.port), **live_service.variables)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert re.fullmatch(
        rf"CommandError: Can't serve at 127\.0\.0\.1:{live_service.port}: .*Address already in use\n", refused.stderr
    )


class UnfinishedRequest:
    """A request in flight: the service waits for the second half of its body."""

    def __init__(self, service, secret, number):
        body = json.dumps({"metadata": {"number": str(number)}, "items": [user_message("x" * 100_000)]}).encode()
        self._rest = body[len(body) // 2 :]
        self._socket = socket.create_connection(("127.0.0.1", service.port), timeout=SECONDS)
        head = (
            f"POST /v1/conversations HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        assert self._socket.recv(1000).startswith(b"HTTP/1.1 100 ")
        self._socket.sendall(body[: len(body) // 2])

    def finish(self):
        with self._socket:
            self._socket.sendall(self._rest)
            response = http.client.HTTPResponse(self._socket, method="POST")
            response.begin()
            return response.status, json.loads(response.read())


def threads_that_accept(number, *, process):
    threads = []
    for thread in Path(f"/proc/{process}/task").iterdir():
        blocked = re.search(r"^SigBlk:\t(\w+)$", (thread / "status").read_text(), re.MULTILINE)[1]
        if not int(blocked, 16) >> (number - 1) & 1:
            threads.append(int(thread.name))
    return threads


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's table of threads")
def test_one_thread_that_is_not_the_main_thread_accepts_the_signal_to_stop_a_worker(live_service):
    assert len(live_service.workers) == WORKERS
    for worker in live_service.workers:
        [thread] = threads_that_accept(signal.SIGTERM, process=worker)
        assert thread != worker
        assert threads_that_accept(signal.SIGINT, process=worker) == []


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's limits of other processes")
def test_service_raises_its_limit_of_open_files(service):
    inherited, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, maximum))
    try:
        service.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (inherited, maximum))
    for worker in service.workers:
        limit, maximum = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        unlimited = maximum == resource.RLIM_INFINITY
        assert limit >= (MAX_CONNECTIONS if unlimited else min(maximum, MAX_CONNECTIONS))
    service.stop()


@pytest.mark.parametrize("stop", [pytest.param(Service.interrupt, marks=pytest.mark.slow), Service.terminate])
def test_shutdown_lets_requests_in_flight_finish(service, stop):
    service.start()
    requests = [UnfinishedRequest(service, service.secret, number) for number in range(4)]
    stop(service)
    wait_until(service.is_refusing_connections)
    responses = [request.finish() for request in requests]
    assert service.wait() == 0
    assert service.stderr == ""
    assert [status for status, _ in responses] == [200] * 4
    with service.database.open() as alias:
        stored = {conversation.pk: conversation for conversation in Conversation.objects.using(alias)}
        assert [stored[response["id"]].metadata for _, response in responses] == [{"number": str(n)} for n in range(4)]
        assert {conversation.item_count for conversation in stored.values()} == {1}


@pytest.mark.parametrize("stop", [pytest.param(Service.interrupt, marks=pytest.mark.slow), Service.terminate])
def test_shutdown_under_load_truncates_and_loses_no_response(service, stop):
    service.start()
    acknowledged, failures = [], []

    def create():
        client = Client(service.port, service.secret)
        try:
            while True:
                status, response = client.post("/conversations", items=[user_message("x" * 10_000)])
                assert status == 200, response
                acknowledged.append(response["id"])
        except (OSError, http.client.HTTPException) as error:
            failures.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(acknowledged) >= 40)
    stop(service)
    for thread in threads:
        thread.join()
    assert service.wait() == 0
    assert service.stderr == ""
    assert "Killing" not in service.stdout
    assert len(failures) == 8
    assert not [error for error in failures if isinstance(error, http.client.IncompleteRead)]
    with service.database.open() as alias:
        assert set(Conversation.objects.using(alias).values_list("pk", flat=True)) == set(acknowledged)
