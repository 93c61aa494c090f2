"""Answers while the database can't be written: a 503 that clients retry, and one line in the log."""

import json
import os

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connections, router
from django.test import Client

from project.body_reader import BodyReader
from tests.waiting import wait_until

READ_ONLY = {
    "sqlite": ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
    "postgresql": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    ),
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE"),
}
OVERLOADED = "The server is currently overloaded or not ready yet. Please try again later."


@pytest.fixture
def staff_client(transactional_db):
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("staff"))
    return client


@pytest.fixture
def read_only_database(transactional_db, alice_secret):
    """A database that has alice's key and can't be written."""
    if "DATABASE_POOLER" in os.environ:
        pytest.skip("The setting would go to any connection of the pool.")
    connection = connections[router.db_for_write(User)]
    start, end = READ_ONLY[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(start)
    yield
    with connection.cursor() as cursor:
        cursor.execute(end)


def test_api_answers_503_with_retry_after_and_logs_one_line(read_only_database, as_alice, assert_error, caplog):
    response = as_alice.post("/conversations", {"metadata": {"topic": "demo"}})
    assert_error(response, 503, OVERLOADED, type="server_error")
    assert response["retry-after"] == "1"
    [record] = [record for record in caplog.records if record.levelname != "DEBUG"]
    assert record.getMessage().startswith("POST /v1/conversations: ")
    assert record.exc_info is None
    assert "\n" not in record.getMessage()


def test_admin_answers_503_with_a_page_and_logs_one_line(staff_client, read_only_database, caplog):
    response = staff_client.post("/admin/logout/")
    assert (response.status_code, response["retry-after"]) == (503, "1")
    assert "Please try again later." in response.content.decode()
    [record] = [record for record in caplog.records if record.levelname != "DEBUG"]
    assert record.getMessage().startswith("POST /admin/logout/: ")
    assert not record.exc_info


@pytest.mark.parametrize(
    ("error", "status", "is_retried"),
    [(OSError(24, "Too many open files"), 503, True), (OperationalError(), 500, False), (KeyError("x"), 500, False)],
)
def test_request_whose_error_page_fails_too_gets_an_answer_with_a_body(error, status, is_retried, caplog):
    answers = []

    class Protocol:
        def response_bytes(self, *answer):
            answers.append(answer)

    def respond(proto, scope):
        raise error

    BodyReader(respond, threads=1)(Protocol(), {})
    wait_until(lambda: answers != [])
    [(answer_status, headers, body)] = answers
    assert answer_status == status
    assert ("retry-after" in dict(headers)) == is_retried
    assert json.loads(body)["error"]["type"] == "server_error"
