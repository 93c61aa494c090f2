import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory

from conversations.api.end_users import AZURE_HEADER, HEADER
from project.errors import server_error
from project.secret_key import load_or_create_secret_key
from tests.docs.pages import DOCS


@pytest.mark.parametrize("host", ["elsewhere.example", "not a host"])
def test_unknown_host_gets_a_json_error_from_the_api_and_html_elsewhere(db, caplog, host):
    client = Client(headers={"host": host})
    response = client.get("/v1/conversations/conv_1")
    assert response.status_code == 400
    assert response.json()["error"] == {
        "message": f"This server does not answer requests for the host {host!r}. Add it to ALLOWED_HOSTS.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    assert re.fullmatch(r"req_[0-9a-f]{32}", response["x-request-id"])
    page = client.get("/admin/login/")
    assert (page.status_code, page["content-type"]) == (400, "text/html; charset=utf-8")
    assert [record.getMessage() for record in caplog.records if record.levelname != "DEBUG"] == [
        f"Refused a request for the host {host!r}. To serve it, add it to ALLOWED_HOSTS."
    ] * 2


@pytest.mark.parametrize("path", ["/conversations", "//v1/conversations", "/openai/v1/conversations"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_client_with_a_wrong_base_url_is_told_the_right_one(db, method, path):
    response = Client(headers={"accept": "application/json"}).generic(method, "/", PATH_INFO=path)
    assert response.status_code == 404
    assert response.json()["error"] == {
        "message": f"Invalid URL ({method} {path}). The API is at http://testserver/v1: "
        "set this as your client's base URL.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    assert response["x-request-id"].startswith("req_")


@pytest.mark.parametrize(("path", "accept"), [("/conversations", "text/html,*/*;q=0.8"), ("/admin/nowhere/", "*/*")])
def test_browser_gets_a_page_for_an_unknown_url(admin_client, path, accept):
    response = admin_client.get(path, headers={"accept": accept})
    assert (response.status_code, response["content-type"]) == (404, "text/html; charset=utf-8")


def test_api_requests_bypass_the_middleware_for_pages(alice_secret):
    response = Client(headers={"authorization": f"Bearer {alice_secret}"}).generic("POST", "/v1/conversations")
    assert response.status_code == 200
    assert response["content-length"] == str(len(response.content))
    assert response["x-content-type-options"] == "nosniff"
    assert not {"set-cookie", "x-frame-options", "vary"} & {name.lower() for name in response.headers}
    page = Client().get("/admin/login/")
    assert page["x-frame-options"] == "DENY"
    assert "csrftoken" in page.cookies


ORIGIN = "https://chat.example"


@pytest.fixture
def cors(settings):
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "corsheaders"]
    settings.MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware", *settings.MIDDLEWARE]


def test_browser_at_an_allowed_origin_may_call_the_api(cors, alice_secret):
    preflight = Client().options(
        "/v1/conversations",
        headers={
            "origin": ORIGIN,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,x-stainless-lang",
        },
    )
    assert (preflight.status_code, preflight["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    allowed = set(preflight["Access-Control-Allow-Headers"].split(", "))
    assert {"authorization", "content-type", "api-key", HEADER.lower(), AZURE_HEADER} < allowed
    response = Client(headers={"authorization": f"Bearer {alice_secret}", "origin": ORIGIN}).get("/v1/conversations")
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    refused = Client(headers={"origin": ORIGIN}).get("/v1/conversations")
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (401, ORIGIN)


def test_scripts_can_read_every_header_of_an_answer_and_the_documentation_names_them(cors, alice_secret, settings):
    client = Client(headers={"authorization": f"Bearer {alice_secret}", "origin": ORIGIN, "idempotency-key": "a"})
    settings.CONVERSATIONS_RATE_LIMIT = "2/hour"
    answers = [client.post("/v1/conversations", "{}", content_type="application/json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    exposed = set(answers[0]["Access-Control-Expose-Headers"].split(", "))
    sent = {name.lower() for answer in answers for name in answer.headers}
    of_http = {"content-type", "content-length", "x-content-type-options", "vary"}
    assert {name for name in sent if not name.startswith("access-control-")} - of_http == exposed
    section = (DOCS / "clients.md").read_text().partition("\n## In a browser\n")[2].partition("\n## ")[0]
    assert set(re.findall("`([a-z-]+)`", section)) == exposed


@pytest.mark.parametrize(("path", "origin"), [("/v1/conversations", "https://evil.example"), ("/admin/login/", ORIGIN)])
def test_browser_may_not_read_pages_or_call_the_api_from_other_origins(cors, db, path, origin):
    assert "Access-Control-Allow-Origin" not in Client(headers={"origin": origin}).get(path)


def test_every_header_of_the_official_client_is_allowed(settings):
    sources = Path(openai.__file__).parent.rglob("*.py")
    sent = {name.lower() for source in sources for name in re.findall(r"(?i)x-stainless-[a-z-]+", source.read_text())}
    assert sent
    assert sent <= set(settings.CORS_ALLOW_HEADERS)


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


def test_processes_that_start_at_once_have_the_same_secret_key(tmp_path):
    path = tmp_path / "secret_key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(load_or_create_secret_key, [path] * 8))
    assert keys == {path.read_text()}
    assert len(path.read_text()) == 50
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
