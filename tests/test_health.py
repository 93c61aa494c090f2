import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from project import health
from project.startup import missing_migrations

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forget_last_answer(monkeypatch):
    monkeypatch.setattr(health, "_readiness", health._Readiness())


@pytest.mark.parametrize("host", ["testserver", "10.0.0.7:8000"])
def test_health_checks_answer_without_a_key_for_any_host(host):
    client = Client(headers={"host": host})
    live, ready = client.get("/healthz"), client.get("/readyz")
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    checks = {"database": "ok", "migrations": "ok", "disk": "ok"}
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "checks": checks})
    assert client.get("/admin/login/").status_code == (200 if host == "testserver" else 400)


def test_service_without_one_of_its_migrations_is_not_ready_and_only_the_log_says_which(caplog):
    MigrationRecorder(connection).record_unapplied("conversations", "0001_initial")
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "ok", "migrations": "failed", "disk": "ok"}
    assert "0001_initial" not in response.content.decode()
    assert [
        (record.levelname, record.getMessage()) for record in caplog.records if record.name == "django.request"
    ] == [("WARNING", "Not ready: migrations: the database lacks the migrations conversations.0001_initial")]


def test_known_migrations_are_the_ones_that_django_would_apply():
    assert missing_migrations() == []
    assert health.known_migrations() == set(MigrationRecorder(connection).applied_migrations())


def test_many_requests_ask_the_database_once_a_second(django_assert_max_num_queries):
    with django_assert_max_num_queries(2):
        assert {health._readiness.errors() == {} for _ in range(3)} == {True}
        health._readiness._checked_at += 1_000  # as if no second passed
        assert Client().get("/readyz").status_code == 200


def test_liveness_does_not_ask_the_database(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert Client().get("/healthz").status_code == 200
