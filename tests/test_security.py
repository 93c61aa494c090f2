"""Logins that are refused, and the settings behind a proxy that ends TLS."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from secrets import token_urlsafe

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from conversations.api_key_secrets import visible_prefix
from conversations.models import APIKey
from project.security import client_address, trust_proxy

ROOT = Path(__file__).parents[1]
LOGIN_URL = reverse("admin:login")


@pytest.fixture
def ann(db) -> User:
    return User.objects.create_superuser("ann", password="right")


def login(password: str, *, username: str = "ann", address: str = "192.0.2.1") -> int:
    """Return the status of a login: 302 if it succeeds, 200 for the form again."""
    form = {"username": username, "password": password}
    return Client(REMOTE_ADDR=address).post(LOGIN_URL, form).status_code


def test_login_is_refused_after_five_failures(ann):
    assert [login("wrong") for _ in range(4)] == [200] * 4
    response = Client(REMOTE_ADDR="192.0.2.1").post(LOGIN_URL, {"username": "ann", "password": "wrong"})
    assert response.status_code == 429
    assert "Too many failed logins" in response.content.decode()
    assert login("right") == 429
    assert login("right", address="192.0.2.2") == 302
    assert login("wrong", username="bob") == 200


def test_login_is_possible_again_after_a_quarter_of_an_hour_or_a_reset(ann):
    for _ in range(6):
        login("wrong")
    assert login("right") == 429
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert login("right") == 302
    for _ in range(5):
        login("wrong")
    assert login("right") == 429
    call_command("axes_reset_username", "ann", verbosity=0)
    assert login("right") == 302


def test_successful_login_forgets_the_failures(ann):
    for _ in range(2):
        assert [login("wrong") for _ in range(4)] == [200] * 4
        assert login("right") == 302
    assert not AccessAttempt.objects.exists()


def test_secret_that_is_typed_as_a_name_is_not_stored(ann):
    _, secret = APIKey.create(user=ann)
    login("planted-password", username=secret)
    [attempt] = AccessAttempt.objects.values()
    assert attempt["username"] == f"{visible_prefix(secret)}…"
    assert secret not in str(attempt)


def test_no_password_is_stored_with_a_failure(ann):
    login("planted-password")
    assert "planted-password" not in str(list(AccessAttempt.objects.values()))


@pytest.mark.parametrize(
    ("address", "expected"), [("192.0.2.1", "192.0.2.1"), ("::1", "::1"), ("", None), ("/s", None)]
)
def test_axes_counts_by_the_address_of_the_connection(address, expected):
    request = RequestFactory(REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR="203.0.113.9").get("/")
    assert client_address(request) == expected


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [("203.0.113.9", "203.0.113.9"), ("198.51.100.1, 203.0.113.9", "203.0.113.9"), ("2001:db8::1", "2001:db8::1")],
)
def test_proxys_client_is_the_last_use_of_a_key(alice_secret, settings, forwarded, address):
    settings.CONVERSATIONS_API_KEY_SECONDS = 0
    headers = {"authorization": f"Bearer {alice_secret}", "x-forwarded-for": forwarded}
    Client(headers=headers).get("/v1/conversations")
    assert APIKey.objects.get().last_used_from == "127.0.0.1"
    APIKey.objects.update(last_used_at=None)
    settings.MIDDLEWARE = [f"{trust_proxy.__module__}.trust_proxy", *settings.MIDDLEWARE]
    Client(headers=headers).get("/v1/conversations")
    assert APIKey.objects.get().last_used_from == address


def run_service_command(*arguments: str, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    environment |= {"DATABASE_URL": f"sqlite:///{directory}/x.sqlite3", "SECRET_KEY": token_urlsafe(50), **variables}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def test_deployment_checks_report_nothing_behind_a_proxy_that_ends_tls(tmp_path):
    command = ("check", "--deploy", "--fail-level", "WARNING")
    with_it = run_service_command(*command, directory=tmp_path, BEHIND_TLS_PROXY="true", ALLOWED_HOSTS="c.example.com")
    assert (with_it.returncode, with_it.stdout) == (0, "System check identified no issues (2 silenced).\n")
    without = run_service_command(*command, directory=tmp_path)
    assert without.returncode == 1
    for check in ("W004", "W008", "W012", "W016"):  # HSTS, the redirect, the session's cookie, the CSRF cookie
        assert f"(security.{check})" in without.stderr


REQUESTS = """
from django.test import Client
for secure in ("http", "https"):
    response = Client(headers={"host": "c.example.com", "x-forwarded-proto": secure}).get("/admin/login/")
    cookies = [bool(morsel["secure"]) for morsel in response.cookies.values()]
    print(response.status_code, response.get("Location"), response.get("Strict-Transport-Security"), cookies)
"""


def test_pages_behind_a_proxy_redirect_to_tls_with_secure_cookies_and_hsts(tmp_path):
    variables = {"BEHIND_TLS_PROXY": "true", "ALLOWED_HOSTS": "c.example.com"}
    process = run_service_command("shell", "--no-imports", "-c", REQUESTS, directory=tmp_path, **variables)
    assert process.stdout.splitlines() == [
        "301 https://c.example.com/admin/login/ None []",
        "200 None max-age=31536000 [True]",
    ], process.stderr
