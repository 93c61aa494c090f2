"""The documented configuration of nginx, in front of the running service."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.docs.pages import OPERATING, read_blocks
from tests.live.client import Client
from tests.live.service import free_port
from tests.live.test_request_bodies import BODY, CHUNK, begin_request, read_response, stored_conversations
from tests.waiting import wait_until

SLOW_CLIENTS = 64
CONFIGURATION = """
{user}
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    {site}
}}
"""


def adapt_site(site: str, *, port: int, service_port: int) -> str:
    """Return the documented site without TLS, at another port."""
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{service_port}")
    site = site.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    return re.sub(r"^ *ssl_.*\n", "", site, flags=re.MULTILINE)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def proxy(live_service, tmp_path_factory) -> Iterator[SimpleNamespace]:
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if not nginx:
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop("nginx is not installed")
    [block] = [block for block in read_blocks(OPERATING) if block.language == "nginx"]
    directory = tmp_path_factory.mktemp("nginx")
    port = free_port()
    site = adapt_site(block.text, port=port, service_port=live_service.port)
    user = "user root;" if os.geteuid() == 0 else ""
    file = Path(directory, "nginx.conf")
    file.write_text(CONFIGURATION.format(directory=directory, site=site, user=user))
    process = subprocess.Popen([nginx, "-p", directory, "-c", file], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_listening(port) or process.poll() is not None)
        assert process.poll() is None, (directory / "error.log").read_text()
        yield SimpleNamespace(port=port, secret=live_service.secret)
    finally:
        process.terminate()
        process.wait()


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
