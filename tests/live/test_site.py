"""The pages and errors of the running service, with DEBUG off."""

import http.client
import json
import re

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
