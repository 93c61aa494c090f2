"""What the service answers besides the API, with DEBUG off."""

import http.client
import json
import re
import time

import pytest


def get(service, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


def test_the_login_page_and_its_stylesheets_are_served(live_service):
    response, page = get(live_service, "/admin/login/")
    assert response.status == 200
    stylesheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
    assert stylesheets
    for path in stylesheets:
        response, _ = get(live_service, path)
        assert (response.status, response.headers.get_content_type()) == (200, "text/css")


def test_the_root_leads_to_the_admin(live_service):
    response, _ = get(live_service, "/")
    assert (response.status, response.getheader("Location")) == (302, "/admin/")


def test_a_page_that_is_not_there_tells_nothing_of_the_service(live_service):
    response, page = get(live_service, "/admin-of-somebody-else/")
    assert response.status == 404
    assert "URLconf" not in page


def test_an_unknown_host_is_an_envelope_under_v1_and_a_page_elsewhere(service):
    service.start()
    response, body = get(service, "/v1/conversations/conv_1", Host="example.com")
    assert (response.status, response.headers.get_content_type()) == (400, "application/json")
    assert list(json.loads(body)["error"]) == ["message", "type", "param", "code"]
    response, _ = get(service, "/admin/login/", Host="example.com")
    assert (response.status, response.headers.get_content_type()) == (400, "text/html")
    assert "Invalid HTTP_HOST header: 'example.com'" in service.complaints


def test_a_body_of_unknown_length_is_not_lost(live_service):
    connection = http.client.HTTPConnection("127.0.0.1", live_service.port, timeout=30)
    headers = {"Authorization": f"Bearer {live_service.secret}", "Content-Type": "application/json"}
    chunks = [b'{"metadata":', b'{"topic":', b'"in chunks"}}']
    connection.request("POST", "/v1/conversations", iter(chunks), headers, encode_chunked=True)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert answer["metadata"] == {"topic": "in chunks"}


@pytest.mark.parametrize(("path", "status"), [("/v1/conversations", 413), ("/v1/nowhere", 404)])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_slow_sender_of_a_refused_body_sees_the_answer(live_service, path, status, is_chunked):
    def slowly():
        for _ in range(4):
            yield b"x" * 300_000
            time.sleep(0.2)  # a server that hangs up after its answer has done so by the next part

    headers = {"Authorization": f"Bearer {live_service.secret}", "Content-Type": "application/json"}
    if not is_chunked:
        headers["Content-Length"] = "1200000"
    connection = http.client.HTTPConnection("127.0.0.1", live_service.port, timeout=30)
    connection.request("POST", path, slowly(), headers, encode_chunked=is_chunked)
    assert connection.getresponse().status == status
    connection.close()
