import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory

from project.errors import server_error


def test_unknown_host_gets_a_json_error_from_the_api_and_html_elsewhere(db):
    client = Client(headers={"host": "elsewhere.example"})
    response = client.get("/v1/conversations/conv_1")
    assert response.status_code == 400
    assert response.json()["error"] == {
        "message": "Bad request.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    page = client.get("/admin/login/")
    assert (page.status_code, page["content-type"]) == (400, "text/html; charset=utf-8")


def test_api_requests_bypass_the_middleware_for_pages(alice_secret):
    response = Client(headers={"authorization": f"Bearer {alice_secret}"}).generic("POST", "/v1/conversations")
    assert response.status_code == 200
    assert response["content-length"] == str(len(response.content))
    assert response["x-content-type-options"] == "nosniff"
    assert not {"set-cookie", "x-frame-options", "vary"} & {name.lower() for name in response.headers}
    page = Client().get("/admin/login/")
    assert page["x-frame-options"] == "DENY"
    assert "csrftoken" in page.cookies


def add_cors_headers(get_response):
    """Stand in for a middleware of the operator's own."""

    def respond(request):
        response = HttpResponse() if request.method == "OPTIONS" else get_response(request)
        response["Access-Control-Allow-Origin"] = "https://chat.example"
        return response

    return respond


def test_middleware_before_the_direct_dispatch_handles_api_requests(alice_secret, settings):
    settings.MIDDLEWARE = [f"{__name__}.add_cors_headers", *settings.MIDDLEWARE]
    client = Client(headers={"authorization": f"Bearer {alice_secret}"})
    responses = {
        200: client.get("/v1/conversations"),
        400: client.get("/v1/conversations", headers={"host": "elsewhere.example"}),
        401: Client().get("/v1/conversations"),
        404: client.get("/v1/nowhere"),
    }
    assert [response.status_code for response in responses.values()] == list(responses)
    preflight = client.options("/v1/conversations")
    assert (preflight.status_code, preflight.content) == (200, b"")
    for response in [*responses.values(), preflight]:
        assert response["Access-Control-Allow-Origin"] == "https://chat.example"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a look at PostgreSQL's socket")
def test_connection_ended_by_the_server_is_reopened(transactional_db, settings):
    connection.ensure_connection()
    assert connection.is_usable()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])
    other.close()
    assert not connection.is_usable()
    connection.close_if_unusable_or_obsolete()  # as Django does between requests
    assert User.objects.count() == 0


@pytest.mark.parametrize(("path", "content_type"), [("/v1/x", "application/json"), ("/admin/", "text/html")])
def test_error_outside_any_view_leaks_no_details(path, content_type):
    response = server_error(RequestFactory().get(path))
    assert response.status_code == 500
    assert response["content-type"].startswith(content_type)


def test_front_page_redirects_to_the_admin(db):
    assert Client().get("/")["location"] == "/admin/"
