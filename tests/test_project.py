import pytest
from django.test import Client, RequestFactory

from project.errors import server_error


def test_an_unknown_host_gets_an_envelope_from_the_api_and_a_page_elsewhere(db):
    client = Client(headers={"host": "elsewhere.example"})
    answer = client.get("/v1/conversations/conv_1")
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": "Bad request.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    page = client.get("/admin/login/")
    assert (page.status_code, page["content-type"]) == (400, "text/html; charset=utf-8")


@pytest.mark.parametrize(("path", "content_type"), [("/v1/x", "application/json"), ("/admin/", "text/html")])
def test_a_failure_outside_of_any_view_leaks_nothing(path, content_type):
    answer = server_error(RequestFactory().get(path))
    assert answer.status_code == 500
    assert answer["content-type"].startswith(content_type)


def test_the_front_page_leads_to_the_admin(db):
    assert Client().get("/")["location"] == "/admin/"
