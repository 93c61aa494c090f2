import json
import logging

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.test import Client

from project.logs import JSONFormatter
from project.observation import observe_requests

ID = "conv_" + "0" * 48


@pytest.fixture
def request_lines(settings, caplog):
    """Switch the log of requests on, and return a function that returns the members of its lines."""
    settings.REQUEST_OBSERVERS = ["project.logs.log_request"]
    settings.MIDDLEWARE = ["project.observation.observe_requests", *settings.MIDDLEWARE]

    def read():
        return [record.members for record in caplog.records if record.name == "project.requests"]

    with caplog.at_level(logging.INFO, logger="project.requests"):
        yield read


def test_requests_are_not_observed_by_default(settings):
    assert "project.observation.observe_requests" not in settings.MIDDLEWARE
    with pytest.raises(MiddlewareNotUsed):
        observe_requests(lambda request: None)


@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("POST", "/v1/conversations", 200, "/v1/conversations"),
        ("GET", f"/v1/conversations/{ID}", 404, "/v1/conversations/<str:conversation_id>"),
        ("PUT", "/v1/conversations", 405, "/v1/conversations"),
        ("GET", "/v1/nowhere", 404, "none"),
        ("GET", "/nowhere", 404, "none"),
        ("GET", "/v1/openapi.json", 200, "/v1/openapi.json"),
        ("GET", "/admin/login/", 200, "/admin/login/"),
        ("GET", "/readyz", 200, "/readyz"),
        ("PROPFIND", "/admin/login/", 403, "/admin/login/"),
    ],
)
def test_line_has_the_id_key_route_status_and_time_of_the_request(
    request_lines, alice_secret, method, path, status, route
):
    client = Client(headers={"authorization": f"Bearer {alice_secret}"}, enforce_csrf_checks=True)
    response = client.generic(method, path)
    [line] = request_lines()
    assert line.pop("ms") >= 0
    has_key = route.startswith("/v1/conversations")
    assert line == {
        "request_id": response["x-request-id"],
        "key": alice_secret[:14] if has_key else None,
        "method": method if method != "PROPFIND" else "OTHER",
        "route": route,
        "status": status,
    }
    assert response.status_code == status


def test_request_for_an_unknown_host_or_with_a_wrong_key_has_a_line_without_a_key(request_lines, db):
    Client(headers={"host": "elsewhere.example"}).get("/v1/conversations")
    Client(headers={"authorization": "Bearer sk-conv-wrong"}).get("/v1/conversations")
    assert [(line["route"], line["status"], line["key"]) for line in request_lines()] == [
        ("none", 400, None),
        ("/v1/conversations", 401, None),
    ]


def test_json_lines_have_the_traceback_and_any_text():
    try:
        raise ValueError("\ud800")
    except ValueError as error:
        values = (
            "x",
            logging.ERROR,
            __file__,
            1,
            "one\ntwo \ud800 %s",
            (3,),
            (type(error), error, error.__traceback__),
        )
        line = JSONFormatter().format(logging.LogRecord(*values))
    assert "\n" not in line
    members = json.loads(line)
    assert (members["level"], members["logger"], members["message"]) == ("ERROR", "x", "one\ntwo \ud800 3")
    assert members["exception"].startswith("Traceback")
    assert members["exception"].endswith("ValueError: \ud800")
