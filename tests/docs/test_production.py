"""The steps to a service in production, followed word for word as far as a machine for tests allows.

Programs that change the system are replaced: `useradd` does nothing, and `runuser` changes no user.
"""

import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import requests
from django.db import connection
from django.utils import timezone

from conversations.models import AccessRecord, Conversation, PeriodicTask
from tests.docs.host_project import environment
from tests.docs.pages import OPERATING, ROOT, Block, read_blocks
from tests.docs.runner import Runner
from tests.live.database import ScratchDatabase
from tests.live.nginx import documented_site, running_site
from tests.live.service import free_port
from tests.waiting import SECONDS, wait_until

HOST = "conversations.example.com"
CREATE_ITEM = """
from django.contrib.auth.models import User
from conversations.models import Conversation
from conversations.schema.items import validate_items

items = validate_items([{"role": "user", "content": "Hello!"}] * 3)
# An id has the time of the conversation.
for pk in (None, f"conv_{1_500_000_000:08x}{0:040x}"):
    Conversation.objects.create_with_items(owner=User.objects.get(), items=items, conversation_id=pk)
"""

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="The steps are for PostgreSQL."),
]


@pytest.fixture
def database(tmp_path, django_db_blocker) -> Iterator[ScratchDatabase]:
    """A database that the documented commands create."""
    database = ScratchDatabase(tmp_path, django_db_blocker)
    yield database
    database.drop()


@pytest.fixture
def runner(database, tmp_path) -> Runner:
    """A shell in an empty folder that stands for the file system."""
    programs = tmp_path / "programs"
    programs.mkdir()
    write_program(programs / "runuser", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
    for name in ("apt-get", "useradd"):
        write_program(programs / name, "exit 0")
    for name in ("etc", "opt/conversations", "var/backups", "var/cache"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "opt/conversations/manage.py").symlink_to(ROOT / "manage.py")
    write_program(tmp_path / "python", f'exec {sys.executable} "$@"')
    replacements = {
        ".venv/bin/pip install -e '.[server,postgresql]'": f"ln -s {tmp_path}/python .venv/bin/python",
        "/usr/bin/python3 -m venv .venv": "mkdir -p .venv/bin",
        "install -d -o conversations -g conversations": "install -d",
        # The role of the suite's database is used, as it may not create others.
        "psql -c \"CREATE ROLE conversations LOGIN PASSWORD 'password'\"": "true",
        "--owner=conversations conversations": database.name,
        "dropdb conversations_check": f"dropdb {database.name}_check",
        "postgres://conversations:password@localhost/conversations": database.url,
        "http://127.0.0.1:8000": f"http://127.0.0.1:{free_port()}",
        **{f"/{name}/": f"{tmp_path}/{name}/" for name in ("etc/conversations", "var/cache", "var/backups")},
        "/opt/conversations": f"{tmp_path}/opt/conversations",
        ". /etc/conversations.env": f". {tmp_path}/etc/conversations.env",
        "file:///var/cache": f"file://{tmp_path}/var/cache",
    }
    server = urlsplit(os.environ["DATABASE_URL"])
    variables = {"PATH": f"{programs}:{os.environ['PATH']}", "PGHOST": unquote(server.hostname or "localhost")}
    if server.username:
        variables |= {"PGUSER": server.username, "PGPASSWORD": server.password or ""}
    return Runner(tmp_path / "opt/conversations", environment=environment(**variables), replacements=replacements)


def write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def start(runner: Runner, script: str, log: Path, port: int) -> subprocess.Popen[bytes]:
    """Run a script that ends with `manage.py serve`, at another port, until the service answers."""
    script = script.replace("manage.py serve", f"manage.py serve --port {port} --workers 1")
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-euc", script],
            cwd=runner.directory,
            env=runner.environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    wait_until(lambda: "Stop with Ctrl-C." in log.read_text() or process.poll() is not None)
    assert process.poll() is None, log.read_text()
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=SECONDS)


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_steps_lead_to_a_service_with_tls_metrics_a_backup_that_restores_and_retention(runner, database, tmp_path):
    blocks = read_blocks(OPERATING, under="In production")
    install, create, first_start, check, backup = [block for block in blocks if block.language == "sh"]
    variables, unit, backup_unit, _ = [block for block in blocks if block.language == "ini"]
    environment_file = tmp_path / "etc/conversations.env"
    runner.run(install)
    runner.run(create)
    environment_file.write_text(runner._replace(variables.text))

    script = runner._replace(first_start.text)
    port = int(re.search(r":(\d+)", runner.replacements["http://127.0.0.1:8000"])[1])
    process = start(runner, script, tmp_path / "first.txt", port)
    stop(process)
    assert "Created the superuser 'admin'" in (tmp_path / "first.txt").read_text()
    runner._run_sh(script.rpartition("runuser")[0])  # The shell keeps the variables.
    runner.execute(".venv/bin/python", "manage.py", "shell", "--no-imports", "-c", CREATE_ITEM)

    write_program(tmp_path / "programs/systemctl", command_of(runner, backup_unit))
    process = start(runner, f"exec {command_of(runner, unit)}", tmp_path / "second.txt", port)
    try:
        assert "Created" not in (tmp_path / "second.txt").read_text()
        runner.run(check)
        assert '"database": "ok", "migrations": "ok", "disk": "ok"' in runner.output
        assert "conversations_requests_total" in runner.output
        runner.run(backup)
        first, second = [line for line in runner.output.splitlines() if line.strip()]
        assert first == second
        assert first.split("|")[0].strip() == "6"
        with running_proxy(tmp_path, port) as tls_port:
            check_tls(tls_port)
            check_retention(tls_port, (tmp_path / "first.txt").read_text(), database)
    finally:
        stop(process)


def command_of(runner: Runner, unit: Block) -> str:
    [command] = re.findall(r"^ExecStart=(.*)$", runner._replace(unit.text), re.MULTILINE)
    return str(command)


@contextmanager
def running_proxy(directory: Path, service_port: int) -> Iterator[int]:
    """Run the documented site of nginx, with a certificate that is made for it, and yield its port."""
    port = free_port()
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={HOST}", "-days", "2"]
    files = ["-keyout", str(directory / "conversations.key"), "-out", str(directory / "conversations.pem")]
    subprocess.run([*command, *files], check=True, capture_output=True)
    site = documented_site().replace("127.0.0.1:8000", f"127.0.0.1:{service_port}")
    site = site.replace("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;").replace("/etc/ssl", str(directory))
    with running_site(directory, site, port=port):
        yield port


def check_tls(port: int) -> None:
    """Check that the login page over TLS has HSTS and a cookie that is sent over TLS alone."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = HTTPSConnection("127.0.0.1", port, context=context, timeout=SECONDS)
    client.request("GET", "/admin/login/", headers={"Host": HOST})
    response = client.getresponse()
    response.read()
    client.close()
    assert response.status == 200
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "; Secure" in response.headers["Set-Cookie"]


class Browser:
    """A session at the proxy, whose certificate is not checked."""

    def __init__(self, port: int) -> None:
        self._site = f"https://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.verify = self._session.trust_env = False
        self._session.headers.update({"Host": HOST, "Origin": f"https://{HOST}"})

    def get(self, path: str) -> str:
        return self._text(self._session.get(self._site + path, timeout=SECONDS))

    def post(self, path: str, **form: str) -> str:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path))[1]
        data = {"csrfmiddlewaretoken": token, **form}
        return self._text(self._session.post(self._site + path, data=data, timeout=SECONDS))

    def _text(self, response: requests.Response) -> str:
        assert response.status_code == 200, response.text
        return response.text


def check_retention(port: int, output: str, database: ScratchDatabase) -> None:
    """Make the rule that the last step describes, and wait until the night's work deletes a conversation by it."""
    with database.open() as alias:
        conversations = Conversation.objects.using(alias)
        old, kept = conversations.order_by("pk").values_list("pk", flat=True)
        browser = Browser(port)
        password = re.search(r"with the password (\S+)", output)[1]
        front_page = browser.post("/admin/login/", username="admin", password=password, next="/admin/")
        [rules] = set(re.findall(r'<a href="([^"]+)"[^>]*>Retention rules</a>', front_page))
        rule = {"name": "a year", "query": "", "days": "365", "basis": "created"}
        page = browser.post(f"{rules}add/", **rule, _continue="1")
        [dry_run] = re.findall(r'<a href="([^"]+)"[^>]*>Dry run</a>', page)
        sample = browser.get(dry_run)
        assert [pk in sample for pk in (old, kept)] == [True, False]
        browser.post(dry_run.replace("dry-run", "change"), **rule, is_enabled="on")
        task = PeriodicTask.objects.using(alias).filter(pk="retention", leased_until=None)
        wait_until(lambda: task.filter(due_at__gt=timezone.now()).update(due_at=timezone.now()) == 1)
        wait_until(lambda: list(conversations.values_list("pk", flat=True)) == [kept])
        wait_until(task.filter(due_at__gt=timezone.now()).exists)
        [entry] = AccessRecord.objects.using(alias).filter(action=AccessRecord.Action.RETENTION)
        assert (entry.conversation_count, entry.details["rule"]) == (1, "a year")
        assert "periodic task: retention" in browser.get("/admin/conversations/accessrecord/")
