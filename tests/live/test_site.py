"""The pages and errors of the running service, with DEBUG off."""

import contextlib
import http.client
import json
import re
import socket

import pytest

from tests.waiting import SECONDS


def get(service, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=SECONDS)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


def test_login_page_and_its_stylesheets_are_served(live_service):
    response, page = get(live_service, "/admin/login/")
    assert response.status == 200
    stylesheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    assert stylesheets
    for path in stylesheets:
        response, _ = get(live_service, path)
        assert (response.status, response.headers.get_content_type()) == (200, "text/css")


def test_root_url_redirects_to_the_admin(live_service):
    response, _ = get(live_service, "/")
    assert (response.status, response.getheader("Location")) == (302, "/admin/")


def test_not_found_page_reveals_nothing_about_the_service(live_service):
    response, page = get(live_service, "/admin-of-somebody-else/")
    assert response.status == 404
    assert "URLconf" not in page


def test_unknown_host_gets_a_json_error_under_v1_and_html_elsewhere(service):
    service.start()
    response, body = get(service, "/v1/conversations/conv_1", Host="example.com")
    assert (response.status, response.headers.get_content_type()) == (400, "application/json")
    assert list(json.loads(body)["error"]) == ["message", "type", "param", "code"]
    response, _ = get(service, "/admin/login/", Host="example.com")
    assert (response.status, response.headers.get_content_type()) == (400, "text/html")
    assert service.stderr == ""  # the warning is below the log level


def test_chunked_request_body_is_read(live_service):
    connection = http.client.HTTPConnection("127.0.0.1", live_service.port, timeout=SECONDS)
    headers = {"Authorization": f"Bearer {live_service.secret}", "Content-Type": "application/json"}
    chunks = [b'{"metadata":', b'{"topic":', b'"in chunks"}}']
    connection.request("POST", "/v1/conversations", iter(chunks), headers, encode_chunked=True)
    body = json.loads(connection.getresponse().read())
    connection.close()
    assert body["metadata"] == {"topic": "in chunks"}


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
