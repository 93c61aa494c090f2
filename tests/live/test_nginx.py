"""The documented configuration of nginx, in front of the running service."""

import contextlib
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.live.client import Client
from tests.live.nginx import running_nginx
from tests.live.test_request_bodies import BODY, CHUNK, begin_request, read_response, stored_conversations

SLOW_CLIENTS = 64


@pytest.fixture(scope="module")
def proxy(live_service, tmp_path_factory) -> Iterator[SimpleNamespace]:
    with running_nginx(tmp_path_factory.mktemp("nginx"), service_port=live_service.port) as port:
        yield SimpleNamespace(port=port, secret=live_service.secret)


def test_requests_pass_through_nginx_while_clients_send_their_bodies_slowly(proxy):
    with contextlib.ExitStack() as stack:
        for _ in range(SLOW_CLIENTS):
            stack.enter_context(begin_request(proxy, "Content-Length: 1000", body=b" "))
        client = stack.enter_context(contextlib.closing(Client(proxy.port, proxy.secret)))
        for _ in range(10):
            status, conversation = client.post("/conversations", metadata={"topic": "normal"})
            assert status == 200
            assert client.get(f"/conversations/{conversation['id']}")[0] == 200


def test_chunked_body_passes_through_nginx_with_its_length(proxy):
    body = b'{"metadata": {"topic": "chunked"}}'
    with begin_request(
        proxy, "Transfer-Encoding: chunked", body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    ) as client:
        assert b'"topic": "chunked"' in read_response(client)


@pytest.mark.parametrize(
    ("length", "body"), [("Content-Length: 1000", BODY), ("Transfer-Encoding: chunked", CHUNK + b"no size\r\n")]
)
def test_body_that_is_cut_on_its_way_to_nginx_is_not_stored(proxy, length, body):
    with begin_request(proxy, length, body=body) as client:
        client.shutdown(socket.SHUT_WR)
        client.recv(1)  # nginx answers the wrong chunk, and closes the other connection.
    assert stored_conversations(proxy) == []
