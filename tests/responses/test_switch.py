"""Model calls are off by default, and the service then has nothing of them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.service import ROOT, clean_environment, free_port, manage

pytestmark = pytest.mark.slow

URL = "http://127.0.0.1:1/v1"


def run(code: str, *, root: Path = ROOT, **variables: str) -> str:
    environment = clean_environment(SECRET_KEY="x", DJANGO_SETTINGS_MODULE="project.settings", **variables)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True).stdout


MODULES = """
import sys
import project.wsgi, project.asgi
from django.urls import get_resolver
get_resolver().url_patterns
print(any(name.startswith(("conversations.responses", "httpx2", "uvicorn")) for name in sys.modules))
print(type(project.asgi.application).__name__)
"""
COMMAND = "import django; django.setup(); from django.core.management import call_command; call_command"
LIST_MIGRATIONS = f"{COMMAND}('showmigrations')"
CHECK_MIGRATIONS = f"{COMMAND}('makemigrations', check=True, dry_run=True)"


def test_nothing_is_imported_without_an_upstream():
    assert run(MODULES).split() == ["False", "ASGIHandler"]
    assert run(MODULES, CONVERSATIONS_UPSTREAM_URL=URL).split() == ["True", "ModelCalls"]


def test_no_table_is_created_without_an_upstream():
    plan = (
        "import django; django.setup(); from django.core.management import call_command; call_command('showmigrations')"
    )
    assert "conversations_responses" not in run(plan)
    assert "conversations_responses" in run(plan, CONVERSATIONS_UPSTREAM_URL=URL)


def test_migrations_have_every_change_of_the_models():
    assert run(CHECK_MIGRATIONS, CONVERSATIONS_UPSTREAM_URL=URL) == "No changes detected\n"


POST = """
import django; django.setup()
from django.test import Client
print(Client(headers={"host": "localhost"}).post("/v1/responses").json()["error"]["message"])
"""


def test_main_port_names_the_port_of_model_calls_only_if_there_is_one():
    assert "Invalid URL (POST /v1/responses). This server stores conversations and runs no models." in run(POST)
    message = run(POST, CONVERSATIONS_UPSTREAM_URL=URL)
    assert (
        "Invalid URL (POST /v1/responses). Of the URLs that call models, this server answers /v1/responses" in message
    )
    assert "with `manage.py serve`, the port after its own" in message


CHECK = f"{COMMAND}('check')"
REQUEST = """
import django; django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from conversations.models import APIKey
call_command("migrate", verbosity=0)
_, secret = APIKey.create(user=User.objects.create_user("alice"), name="first key")
client = Client(headers={"host": "localhost", "authorization": f"Bearer {secret}"})
print(client.post("/v1/conversations", {"metadata": {"topic": "demo"}}, "application/json").json()["metadata"])
print(client.post("/v1/responses", {}, "application/json").status_code)
"""


def test_product_works_without_the_folder(tmp_path):
    for name in ("conversations", "project", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(tmp_path / "conversations" / "responses")
    database = {"DATABASE_URL": f"sqlite:///{tmp_path / 'database.sqlite3'}", "PYTHONPATH": str(tmp_path)}
    assert run(CHECK, root=tmp_path, **database) == "System check identified no issues (0 silenced).\n"
    assert run(CHECK_MIGRATIONS, root=tmp_path, **database) == "No changes detected\n"
    assert run(REQUEST, root=tmp_path, **database).splitlines() == ["{'topic': 'demo'}", "404"]


def test_upstream_that_is_no_url_keeps_the_service_from_starting():
    url = "http://localhost:11434"
    served = manage("serve", "--port", str(free_port()), SECRET_KEY="x", CONVERSATIONS_UPSTREAM_URL=url)
    assert served.returncode == 1
    assert f"CONVERSATIONS_UPSTREAM_URL is '{url}'" in served.stderr
