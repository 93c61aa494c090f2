"""Bodies that are cut, slow or too large, and silent clients, at the port of the process that calls models."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.live.service import running_service
from tests.responses.conftest import Stage
from tests.responses.fake_upstream import running_upstream
from tests.responses.items import execute, stored_texts
from tests.waiting import SECONDS

BODY = b'{"metadata": {"topic": "hostile"}}'
LARGE = 100_000
SLOW_CLIENTS = 64
PATHS = ["/conversations", "/responses"]
CUT = [
    pytest.param("Content-Length: 1000", b"%s", id="length"),
    pytest.param("Transfer-Encoding: chunked", b"ffff\r\n%s", id="chunk"),
    pytest.param("Transfer-Encoding: chunked", b"400\r\n%-1024s\r\n", id="end"),
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory, django_db_blocker) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("bodies")
    with running_upstream() as upstream:
        variables = {"CONVERSATIONS_UPSTREAM_URL": upstream.url, "CONVERSATIONS_MAX_BODY_BYTES": str(LARGE)}
        with running_service(directory, django_db_blocker, **variables) as service:
            yield Stage(service, upstream)


def connect(stage: Stage) -> socket.socket:
    return socket.create_connection(("127.0.0.1", stage.service.port + 1), timeout=SECONDS)


def begin_request(stage: Stage, path: str, *headers: str, body: bytes = b"", has_key: bool = True) -> socket.socket:
    """Send the headers of a request and the beginning of its body."""
    key = [f"Authorization: Bearer {stage.service.secret}"] if has_key else []
    lines = [f"POST /v1{path} HTTP/1.1", "Host: localhost", *key, *headers]
    client = connect(stage)
    client.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body)
    return client


def read_answer(client: socket.socket) -> tuple[int, str, dict[str, object]]:
    """Return the status, the headers and the JSON of an error, which ends with a line of its own."""
    received = b""
    while b"\n}" not in received:
        part = client.recv(65536)
        assert part, received
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    text = body[body.index(b"{") : body.rindex(b"}") + 1]
    return int(head.split()[1]), head.decode().lower(), json.loads(text)["error"]


@pytest.mark.parametrize(
    ("path", "has_key", "status"),
    [
        ("/conversations", False, 413),
        ("/conversations", True, 413),
        ("/nowhere", False, 413),
        ("/responses", False, 401),
        ("/responses", True, 413),
    ],
)
def test_too_large_body_is_refused_before_it_is_sent(stage, path, has_key, status):
    with begin_request(stage, path, f"Content-Length: {LARGE + 1}", has_key=has_key) as client:
        answered, headers, error = read_answer(client)
    assert (answered, error["code"] == "request_too_large") == (status, status == 413)
    assert "x-request-id: req_" in headers


@pytest.mark.parametrize("path", PATHS)
def test_too_large_body_in_chunks_is_refused_before_its_end(stage, path):
    chunk = b"1000\r\n%s\r\n" % (b" " * 4096)
    with begin_request(stage, path, "Transfer-Encoding: chunked", body=chunk * (LARGE // 4096 + 1)) as client:
        assert read_answer(client)[0] == 413


@pytest.mark.parametrize(("length", "form"), CUT)
def test_conversation_whose_body_is_cut_is_not_stored(client, stage, length, form):
    with begin_request(stage, "/conversations", length, body=form % BODY) as cut:
        cut.shutdown(socket.SHUT_WR)
        assert cut.recv(65536) == b""
    page = client.get("/conversations?metadata[topic]=hostile", cast_to=object)
    assert page["data"] == []


@pytest.mark.parametrize(("length", "form"), CUT)
def test_turn_whose_body_is_cut_is_not_begun(client, stage, length, form):
    conversation = client.conversations.create()
    asked = len(stage.upstream.requests)
    body = json.dumps({"model": "echo", "conversation": conversation.id, "input": "one"}).encode()
    with begin_request(stage, "/responses", length, body=form % body) as cut:
        cut.shutdown(socket.SHUT_WR)
        assert cut.recv(65536) == b""
    client.responses.create(model="echo", conversation=conversation.id, input="two")
    assert stored_texts(client, conversation.id)[::2] == ["two"]
    assert len(stage.upstream.requests) == asked + 1
    assert execute(stage, "SELECT COUNT(*) FROM conversations_responses_lease", []) == [(0,)]


@pytest.mark.parametrize("path", PATHS)
def test_body_in_chunks_that_comes_slowly_is_read_to_its_end(client, stage, path):
    conversation = client.conversations.create()
    turn = json.dumps({"model": "echo", "conversation": conversation.id, "input": "one"}).encode()
    body = turn if path == "/responses" else b'{"metadata": {"topic": "slow"}}'
    with begin_request(stage, path, "Transfer-Encoding: chunked") as slow:
        for byte in body:
            slow.sendall(b"1\r\n%c\r\n" % byte)
        slow.sendall(b"0\r\n\r\n")
        assert slow.recv(12) == b"HTTP/1.1 200"


def test_requests_are_answered_beside_slow_and_silent_clients(client, stage):
    with ExitStack() as stack:
        for number in range(SLOW_CLIENTS):
            headers = ["Content-Length: 1000"]
            stack.enter_context(begin_request(stage, PATHS[number % 2], *headers, body=b" " * (number % 3)))
            stack.enter_context(connect(stage)).sendall(b"POST /v1/con"[: number % 12])
        conversation = client.conversations.create()
        answer = client.responses.create(model="echo", conversation=conversation.id, input="one")
        assert stored_texts(client, conversation.id) == ["one", answer.output_text]


@pytest.mark.slow
def test_connection_without_headers_closes_and_one_with_a_running_stream_does_not(client, stage):
    conversation = client.conversations.create()
    stream = client.responses.create(model="stall", conversation=conversation.id, input="one", stream=True)
    next(iter(stream))
    with ExitStack() as stack:
        silent, halting, second = (stack.enter_context(connect(stage)) for _ in range(3))
        halting.sendall(b"GET /v1/models HTTP/1.1\r\nHost: loc")
        second.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert second.recv(12) == b"HTTP/1.1 200"
        second.sendall(b"GET /v1/models HTTP/1.1\r\n")
        for each in (silent, halting):
            assert each.recv(65536) == b""
        while second.recv(65536):
            pass
    stage.upstream.released.set()
    assert list(stream)[-1].type == "response.completed"


@pytest.mark.slow
def test_body_that_does_not_come_in_time_is_a_time_out(stage, tmp_path, django_db_blocker):
    variables = {"CONVERSATIONS_UPSTREAM_URL": stage.upstream.url, "CONVERSATIONS_BODY_SECONDS": "1"}
    asked = len(stage.upstream.requests)
    with running_service(tmp_path, django_db_blocker, **variables) as service:
        impatient = Stage(service, stage.upstream)
        for path, has_key in (("/conversations", True), ("/conversations", False), ("/responses", True)):
            with begin_request(impatient, path, "Content-Length: 1000", body=BODY, has_key=has_key) as client:
                status, headers, error = read_answer(client)
                assert (status, "not complete in time" in str(error["message"])) == (408, True)
                assert "x-request-id: req_" in headers
                with suppress(ConnectionError):
                    client.sendall(b" " * (1000 - len(BODY)))  # The rest comes too late.
        count = "SELECT COUNT(*) FROM conversations_conversation"
        assert execute(impatient, count, []) == [(0,)]
    assert len(stage.upstream.requests) == asked
