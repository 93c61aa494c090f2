"""Request bodies that are cut, slow, too large or too many, sent to the running service."""

import contextlib
import json
import re
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests.benchmarks.machine import session_processes
from tests.live.client import Client, user_message
from tests.live.service import Service
from tests.live.test_site import get
from tests.waiting import SECONDS, wait_until

SLOW_CLIENTS = 64  # eight times as many as the service has threads that run Django
BODY = b'{"metadata": {"topic": "hostile"}}'
CHUNK = b"%x\r\n%s\r\n" % (len(BODY), BODY)
LARGE = 100_000


def begin_request(service: Service, *headers: str, body: bytes = b"", path: str = "/v1/conversations") -> socket.socket:
    """Send the headers of a request and the beginning of its body."""
    client = socket.create_connection(("127.0.0.1", service.port), timeout=SECONDS)
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {service.secret}", *headers]
    client.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body)
    return client


def read_response(client: socket.socket) -> bytes:
    """Return a response up to the end of its body, which is a JSON object."""
    response = b""
    while not response.endswith(b"\n}"):
        received = client.recv(65536)
        assert received, response
        response += received
    return response


def stored_conversations(service: Service) -> list[object]:
    with contextlib.closing(Client(service.port, service.secret)) as client:
        _, page = client.get("/conversations?metadata[topic]=hostile")
    return page["data"]


@pytest.mark.parametrize(
    ("length", "body", "answer"),
    [
        ("Content-Length: 1000", BODY, b"400"),
        ("Content-Length: 1000", b"", b"400"),
        ("Transfer-Encoding: chunked", CHUNK, b"411"),
        ("Transfer-Encoding: chunked", CHUNK + b"not a size\r\n", b"411"),
        ("Transfer-Encoding: chunked", b"ffff\r\n" + BODY, b"411"),
        ("Transfer-Encoding: chunked", b"", b"411"),
    ],
)
def test_body_that_is_cut_or_has_no_length_is_refused_and_nothing_is_stored(live_service, length, body, answer):
    with begin_request(live_service, length, body=body) as client:
        client.shutdown(socket.SHUT_WR)
        assert read_response(client).startswith(b"HTTP/1.1 " + answer)
    assert stored_conversations(live_service) == []


def test_complete_chunked_body_is_refused_as_well(live_service):
    with begin_request(live_service, "Transfer-Encoding: chunked", body=CHUNK + b"0\r\n\r\n") as client:
        assert read_response(client).startswith(b"HTTP/1.1 411")
    assert stored_conversations(live_service) == []


@pytest.mark.parametrize("length", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_body_whose_connection_closes_is_not_stored(live_service, length):
    begin_request(live_service, length, body=BODY if "Content" in length else CHUNK).close()
    with begin_request(live_service, "Content-Length: 2", body=b"{}") as client:
        assert read_response(client).startswith(b"HTTP/1.1 200")
    assert stored_conversations(live_service) == []


@pytest.fixture
def slow_clients(live_service) -> Iterator[list[socket.socket]]:
    """Clients with a valid key that send the beginning of a body, or none of it."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(begin_request(live_service, "Content-Length: 1000", body=b" " * (number % 3)))
            for number in range(SLOW_CLIENTS)
        ]


def test_other_requests_are_answered_while_clients_send_their_bodies_slowly(live_service, slow_clients):
    client = Client(live_service.port, live_service.secret)
    for number in range(20):
        for slow in slow_clients[number::20]:
            slow.sendall(b" ")
        status, conversation = client.post("/conversations", metadata={"topic": "normal"})
        assert status == 200
        assert client.get(f"/conversations/{conversation['id']}")[0] == 200
    client.close()


def test_slow_body_is_read_to_its_end(live_service):
    body = b'{"metadata": {"topic": "slow"}}'
    with begin_request(live_service, f"Content-Length: {len(body)}") as client:
        for byte in body:
            client.sendall(bytes([byte]))
        assert b'"slow"' in read_response(client)


@pytest.mark.slow
def test_body_that_does_not_come_in_time_is_a_time_out(database, tmp_path):
    service = Service(database, tmp_path, CONVERSATIONS_BODY_SECONDS="1")
    service.start()
    try:
        for _ in range(2):  # a kind of request that is new to the service, and one that it knows
            with begin_request(service, "Content-Length: 1000", body=BODY) as client:
                head, _, body = read_response(client).partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 408")
                assert re.search(rb"x-request-id: req_", head)
                assert "not complete in time" in json.loads(body)["error"]["message"]
                with contextlib.suppress(ConnectionError):
                    client.sendall(b" " * (1000 - len(BODY)))  # The rest comes too late.
        assert stored_conversations(service) == []
        service.stop()
    finally:
        service.kill()


@pytest.mark.slow
def test_bodies_beyond_the_bytes_in_flight_are_told_to_come_back(database, tmp_path):
    limits = {"CONVERSATIONS_MAX_BODY_BYTES": str(LARGE), "CONVERSATIONS_MAX_BYTES_IN_FLIGHT": str(LARGE)}
    service = Service(database, tmp_path, **limits, LOG_LEVEL="CRITICAL")  # Django logs each 503 as an error.
    service.start()
    try:
        # Each worker has room for one of the bodies, of which all but the end is sent.
        clients = [begin_request(service, f"Content-Length: {LARGE}", body=b" " * (LARGE - 2)) for _ in range(8)]
        for client in clients:
            client.settimeout(0.1)
        refused: dict[socket.socket, bytes] = {}

        def is_answered() -> bool:
            for client in clients:
                if client not in refused:
                    with contextlib.suppress(TimeoutError):
                        refused[client] = client.recv(65536)
            return len(refused) >= len(clients) - 2

        wait_until(is_answered)
        for response in refused.values():
            assert response.startswith(b"HTTP/1.1 503")
            assert b"retry-after: 1\r\n" in response.lower()
        for client in clients:
            client.settimeout(SECONDS)
            if client not in refused:
                client.sendall(b"{}")
                assert read_response(client).startswith(b"HTTP/1.1 200")
            client.close()
        with begin_request(service, f"Content-Length: {LARGE}", body=b" " * (LARGE - 2) + b"{}") as client:
            assert read_response(client).startswith(b"HTTP/1.1 200")
        service.stop()
    finally:
        service.kill()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory and returns it with Linux's means")
def test_memory_of_a_burst_of_large_bodies_is_returned(database, tmp_path):
    service = Service(database, tmp_path)
    service.start()

    def send(megabytes: int) -> int:
        text = "x" * (megabytes * 1_000_000 // 3)
        with contextlib.closing(Client(service.port, service.secret)) as client:
            return client.post("/conversations", items=[user_message(text)] * 3)[0]

    def memory() -> int:
        return sum(process.memory for process in session_processes(service.session))

    megabytes = 12 if connection.vendor == "mysql" else 30  # MariaDB takes statements of up to 16 MiB by default.
    try:
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(send, [0] * 64)) == {200}
            before = memory()
            assert set(pool.map(send, [megabytes] * 8)) == {200}
        wait_until(lambda: memory() < 1.5 * before)
        service.stop()
    finally:
        service.kill()


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        ("/v1/conversations", "Content-Length: 16000000", 413),
        ("/v1/nowhere", "Content-Length: 16000000", 404),
        ("/v1/nowhere", "Transfer-Encoding: chunked", 404),
    ],
)
def test_answer_to_a_refused_body_reaches_a_client_that_is_still_sending(live_service, path, length, status):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {live_service.secret}\r\n{length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", live_service.port), timeout=SECONDS) as client:
        client.sendall(head.encode())
        with contextlib.suppress(ConnectionError):  # The server closes the connection after its response.
            client.sendall(b"x" * 16_000_000)
        assert client.recv(12) == f"HTTP/1.1 {status}".encode()


@pytest.mark.parametrize("length", ["Content-Length: 1000", "Content-Length: 900000", "Transfer-Encoding: chunked"])
def test_clients_who_never_send_a_refused_body_hold_no_worker(live_service, length):
    silent = [socket.create_connection(("127.0.0.1", live_service.port), timeout=SECONDS) for _ in range(16)]
    for client in silent:
        client.sendall(f"POST /v1/x HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n".encode())
    assert all(client.recv(12) == b"HTTP/1.1 404" for client in silent)
    response, _ = get(live_service, "/v1/conversations", Authorization=f"Bearer {live_service.secret}")
    assert response.status == 200
    for client in silent:
        client.close()


def test_connection_closes_soon_after_a_refused_body_did_not_come(live_service):
    with socket.create_connection(("127.0.0.1", live_service.port), timeout=SECONDS) as client:
        client.sendall(b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        response = b"".join(iter(lambda: client.recv(65536), b""))
    assert response.startswith(b"HTTP/1.1 404")


def test_client_whose_body_is_not_read_is_told_that_the_connection_closes(live_service):
    """It would send its next request in vain otherwise."""
    client = Client(live_service.port, "sk-conv-unknown")
    for _ in range(20):
        assert client.post("/conversations")[0] == 401
        assert client.answer_headers["Connection"] == "close"
    client.headers["Authorization"] = f"Bearer {live_service.secret}"
    for _ in range(2):
        assert client.post("/conversations", metadata={"topic": "kept alive"})[0] == 200
        assert client.answer_headers["Connection"] is None
    client.close()


def test_too_large_body_that_comes_slowly_is_refused_before_its_end(live_service):
    head = "POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n"
    with socket.create_connection(("127.0.0.1", live_service.port), timeout=0.1) as client:
        client.sendall(f"{head}Authorization: Bearer {live_service.secret}\r\n\r\n".encode())
        answer, sent = b"", 0
        while not answer and sent < 20_000_000:
            with contextlib.suppress(ConnectionError, TimeoutError):
                client.sendall(b"x" * 64 * 1024)
            sent += 64 * 1024
            with contextlib.suppress(TimeoutError):  # The time-out is the pause between two parts of the body.
                answer = client.recv(12)
    assert answer == b"HTTP/1.1 413"


def test_client_that_closes_its_half_of_the_connection_gets_a_whole_answer_or_none(live_service):
    """Expect what the HTTP server allows: it takes the client for gone, unless the answer is already on its way."""
    body = BODY.replace(b"hostile", b"half-closed")  # It is stored, and other tests count what is hostile.
    with begin_request(live_service, f"Content-Length: {len(body)}", body=body) as client:
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    if answer:
        head, _, conversation = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        with contextlib.closing(Client(live_service.port, live_service.secret)) as reader:
            status, stored = reader.get(f"/conversations/{json.loads(conversation)['id']}")
        assert (status, stored["metadata"]) == (200, {"topic": "half-closed"})
