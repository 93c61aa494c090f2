import logging
import re
from io import BytesIO

import pytest
from django.core import exceptions
from django.test import Client
from rest_framework.authentication import BaseAuthentication

from conversations.models import Conversation, ConversationQuerySet

INVALID_JSON = (
    "Invalid body: failed to parse JSON value. Please check the value to ensure it is valid JSON. "
    "(Common errors include trailing commas, missing closing brackets, missing quotation marks, etc.)"
)


def test_every_response_has_openais_headers(as_alice):
    responses = [
        as_alice.post("/conversations"),
        as_alice.get("/conversations/conv_none"),
        as_alice.get("/nowhere"),
        as_alice.send("/conversations", b"{"),
        Client().get("/v1/conversations/conv_none"),
        Client().put("/v1/conversations"),
    ]
    for response in responses:
        assert re.fullmatch(r"req_[0-9a-f]{32}", response["x-request-id"])
        assert re.fullmatch(r"\d+", response["openai-processing-ms"])
        assert response["openai-version"] == "2020-10-01"
        assert response["content-type"] == "application/json"
    assert len({response["x-request-id"] for response in responses}) == len(responses)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'a': 1}",
        b'{"metadata": {},}',
        b"\xff",
        b'{"metadata": {"a": "\xff"}}',
        "{}".encode("utf-16"),
        b"{} {}",
        b"[" * 100_000,
    ],
)
def test_malformed_json_body_is_refused(as_alice, assert_error, body):
    assert_error(as_alice.send("/conversations", body), 400, INVALID_JSON, code="invalid_json")


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"[]", "an array"), (b'"x"', "a string"), (b"1", "an integer"), (b"null", "null"), (b"true", "a boolean")],
)
def test_body_that_is_not_an_object_is_refused(as_alice, assert_error, body, kind):
    message = f"Invalid body: expected an object, but got {kind} instead."
    assert_error(as_alice.send("/conversations", body), 400, message, code="invalid_type")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_unsupported_content_type_is_refused(as_alice, assert_error, content_type):
    response = as_alice.send("/conversations", b'{"metadata": {}}', content_type=content_type)
    assert_error(
        response,
        415,
        f"Unsupported content type: '{content_type}'. This API method only accepts 'application/json' requests, but "
        f"you specified the header 'Content-Type: {content_type}'. Please try again with a supported content type.",
        code="unsupported_content_type",
    )


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", ""])
def test_json_content_type_variants_are_accepted(as_alice, content_type):
    response = as_alice.send("/conversations", b'{"metadata": {"a": "b"}}', content_type=content_type)
    assert response.json()["metadata"] == {"a": "b"}


def test_accept_header_is_ignored(as_alice):
    response = as_alice.client.generic("POST", "/v1/conversations?format=html", headers={"accept": "text/html"})
    assert (response.status_code, response["content-type"]) == (200, "application/json")


def test_body_above_the_size_limit_is_refused(as_alice, assert_error, settings):
    settings.CONVERSATIONS_MAX_BODY_BYTES = 30
    assert as_alice.send("/conversations", b'{"metadata":{"a":"123456789"}}').status_code == 200
    assert_error(
        as_alice.send("/conversations", b'{"metadata":{"a":"1234567890"}}'),
        413,
        "Request body too large. Expected at most 30 bytes.",
        code="request_too_large",
    )
    assert Conversation.objects.count() == 1


def test_data_upload_max_memory_size_does_not_apply(as_alice, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert as_alice.post("/conversations", {"metadata": {"topic": "demo"}}).status_code == 200


@pytest.mark.parametrize("path", ["", "nowhere", "conversations/", "conversations/conv_1/", "conversations/a/b/c/d"])
def test_unknown_url_is_not_found(db, assert_error, path):
    assert_error(Client().get(f"/v1/{path}"), 404, f"Invalid URL (GET /v1/{path})")
    assert_error(Client().post(f"/v1/{path}"), 404, f"Invalid URL (POST /v1/{path})")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/conversations"),
        ("PUT", "/conversations/conv_1"),
        ("PATCH", "/conversations/conv_1"),
        ("OPTIONS", "/conversations"),
        ("DELETE", "/conversations/conv_1/items"),
        ("POST", "/conversations/conv_1/items/msg_1"),
    ],
)
def test_wrong_method_is_not_allowed(as_alice, assert_error, method, path):
    response = as_alice.client.generic(method, f"/v1{path}")
    message = f"Not allowed to {method} on /v1{path}. (HINT: Perhaps you meant to use a different HTTP method?)"
    assert_error(response, 405, message)
    assert response["allow"]
    assert method not in response["allow"].replace("OPTIONS", "")


def test_allow_header_is_sent_only_if_a_method_is_not_allowed(as_alice):
    assert "allow" not in as_alice.get("/conversations").headers


def test_unexpected_exception_is_logged_without_leaking_details(as_alice, monkeypatch, caplog, assert_error):
    def fail(*args, **kwargs):
        raise RuntimeError("the database's password is hunter2")

    monkeypatch.setattr(ConversationQuerySet, "create_with_items", fail)
    with caplog.at_level(logging.ERROR, "conversations.api"):
        response = as_alice.post("/conversations")
    request_id = response["x-request-id"]
    assert_error(
        response,
        500,
        "The server had an error processing your request. Sorry about that! You can retry your request. "
        f"(Please include the request ID {request_id} when you report this.)",
        type="server_error",
    )
    [record] = [record for record in caplog.records if record.name == "conversations.api"]
    assert request_id in record.getMessage()
    assert "hunter2" in caplog.text


def test_too_many_query_parameters_are_refused(as_alice, assert_error, settings):
    query = "&".join(f"a{n}=1" for n in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1))
    response = as_alice.client.get(f"/v1/conversations?{query}")
    assert_error(response, 400, "Too many query parameters. Expected at most 1000.")


class RaisingAuthentication(BaseAuthentication):
    """Authentication that raises an exception of Django."""

    exception: type[Exception]

    def authenticate(self, request):
        raise self.exception("internal details")


def _subclasses(cls):
    return {cls}.union(*map(_subclasses, cls.__subclasses__()))


@pytest.mark.parametrize(
    "exception",
    sorted(
        _subclasses(exceptions.SuspiciousOperation) | _subclasses(exceptions.BadRequest), key=lambda cls: cls.__name__
    ),
)
def test_requests_that_django_refuses_to_process_are_bad_requests(db, settings, monkeypatch, exception):
    monkeypatch.setattr(RaisingAuthentication, "exception", exception, raising=False)
    settings.CONVERSATIONS_AUTHENTICATION_CLASSES = [f"{__name__}.RaisingAuthentication"]
    response = Client().get("/v1/conversations")
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert "internal details" not in error["message"]


def test_api_is_independent_of_the_projects_rest_framework_settings(as_alice, settings):
    settings.REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.StaticHTMLRenderer"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
        "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.AcceptHeaderVersioning",
        "EXCEPTION_HANDLER": "rest_framework.views.exception_handler",
    }
    assert as_alice.post("/conversations", {"metadata": {"a": "b"}}).json()["metadata"] == {"a": "b"}
    assert as_alice.get("/conversations/conv_none").json()["error"]["type"] == "invalid_request_error"


def test_chunked_body_is_read_to_its_end(as_alice, assert_error, settings):
    def send(body: bytes, **environ):
        chunked = {
            "CONTENT_LENGTH": "",
            "HTTP_TRANSFER_ENCODING": "chunked",
            "wsgi.input": BytesIO(body),
            "wsgi.input_terminated": True,
        }
        return as_alice.send("/conversations", body, **{**chunked, **environ})

    body = b'{"metadata":{"topic":"demo"}}'
    assert send(body).json()["metadata"] == {"topic": "demo"}
    settings.CONVERSATIONS_MAX_BODY_BYTES = len(body) - 1
    assert send(body).status_code == 413
    unterminated = send(body, **{"wsgi.input_terminated": False})
    assert_error(unterminated, 411, "Missing 'Content-Length' header. Send the body with its length.")
    assert Conversation.objects.count() == 1


class BrokenStream(BytesIO):
    """The input of a server that raises an error if the connection ends before the body does."""

    def read(self, size: int = -1) -> bytes:
        raise OSError("the connection was reset")


@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": "1000", "wsgi.input": BytesIO(b"{}")},
        {"CONTENT_LENGTH": "1000", "wsgi.input": BrokenStream()},
        {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": BrokenStream()},
    ],
)
def test_body_that_is_cut_is_refused(as_alice, assert_error, environ):
    response = as_alice.send("/conversations", b"{}", **{"wsgi.input_terminated": True, **environ})
    message = "Invalid body: the connection ended before the end of the body."
    assert_error(response, 400, message, code="incomplete_body")
    assert not Conversation.objects.exists()


@pytest.mark.parametrize(
    "path", ["responses", "responses/resp_1", "chat/completions", "models", "models/x", "embeddings"]
)
def test_model_calls_are_sent_elsewhere(db, assert_error, path):
    response = Client().generic("POST", f"/v1/{path}", data=b"{}", content_type="application/json")
    assert_error(
        response,
        404,
        f"Invalid URL (POST /v1/{path}). This server stores conversations and runs no models. Send model calls to a "
        "server that runs models, with a client of its own.",
    )
