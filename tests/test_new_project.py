"""A stranger follows the documentation from the package to a conversation in the admin of a new project.

The project has a virtual environment of its own, with the Django release that the tests run on. Packages come from the
index, and this one from a wheel: `WHEEL` names it, or else it is built.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import django
import httpx2
import pytest
from django.contrib.admin.utils import quote
from django.db import connection

import conversations
from tests.docs.host_project import HostProject, environment
from tests.docs.pages import DOCS, README, ROOT, Block, read_blocks, read_code_spans, read_links
from tests.docs.terminal import run_in_terminal
from tests.live.service import free_port
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="uses SQLite, whatever the suite runs on"),
]

INTEGRATION = DOCS / "django-integration.md"
ANSWERS = {"Email address: ": "", "Password: ": "violet-otter-9", "Password (again): ": "violet-otter-9"}
API_URL, ADMIN_URL = "http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/admin/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    if path := os.environ.get("WHEEL"):
        return Path(path)
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(directory), str(ROOT)]
    subprocess.run(command, check=True, timeout=600)
    [path] = directory.glob("*.whl")
    return path


class StrangersProject(HostProject):
    """A project in an empty folder, whose only packages are Django and those that the documentation installs."""

    def __init__(self, directory: Path, wheel: Path) -> None:
        self.virtual_env = directory.with_name("venv")
        subprocess.run([sys.executable, "-m", "venv", self.virtual_env], check=True, timeout=600)
        inherited = environment(PYTHONPATH="", PIP_DISABLE_PIP_VERSION_CHECK="1")
        variables = {**inherited, "PATH": f"{self.virtual_env / 'bin'}:{os.environ['PATH']}"}
        install = [self.virtual_env / "bin" / "pip", "install", "-q", f"django=={django.__version__}"]
        subprocess.run(install, env=variables, check=True, timeout=600)
        directory.mkdir()
        # The page says to give the path until there is a release.
        replacements = {"pip install django-conversations": f"pip install {wheel}"}
        super().__init__(directory, environment=variables, replacements=replacements)

    def _run_sh(self, text: str) -> None:
        returncode, self.output = run_in_terminal(
            "bash", "-euc", text, directory=self.directory, environment=self.environment, answers=ANSWERS
        )
        assert returncode == 0, self.output


@contextmanager
def running(project: StrangersProject, command: str, *, port: int) -> Iterator[None]:
    process = subprocess.Popen(
        [*command.split(), "--noreload", str(port)], cwd=project.directory, env=project.environment
    )
    try:
        wait_until(lambda: process.poll() is not None or is_answering(port), seconds=600)
        assert process.poll() is None
        yield
    finally:
        process.kill()
        process.wait()


def is_answering(port: int) -> bool:
    try:
        httpx2.get(f"http://127.0.0.1:{port}/", timeout=60)
    except httpx2.TransportError:
        return False
    return True


def log_in(client: httpx2.Client, login_url: str) -> None:
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(login_url).text)[0]
    form = {"username": "ann", "password": ANSWERS["Password: "], "csrfmiddlewaretoken": token, "next": "/admin/"}
    response = client.post(login_url, data=form)
    assert "Log out" in response.text


def client_blocks() -> list[Block]:
    """Return the blocks of the README that create a conversation and find it by its metadata."""
    return read_blocks(README, under="Use it from OpenAI's SDK") + read_blocks(README, under="Query by metadata")


@pytest.mark.parametrize(
    ("document", "heading"), [(README, "The app in your own project"), (INTEGRATION, "Install")], ids=["README", "page"]
)
def test_stranger_sees_a_conversation_in_the_admin_of_a_new_project(tmp_path, wheel, document, heading):
    project = StrangersProject(tmp_path / "project", wheel)
    for block in read_blocks(document, under=heading):
        project.run(block)
    project.environment["CONVERSATIONS_KEY"] = project.output.split()[-1]
    for package, module in {"django": django, "conversations": conversations}.items():
        print_version = f"import {package}; print({package}.__version__, {package}.__file__)"
        version, path = project.execute("python", "-c", print_version).split()
        assert (version, path.startswith(str(project.virtual_env))) == (module.__version__, True)
    assert project.execute("python", "manage.py", "check", "--fail-level", "WARNING")

    assert {API_URL, ADMIN_URL, "python manage.py runserver"} <= set(read_code_spans(INTEGRATION))
    port = free_port()
    project.replacements[":8000"] = f":{port}"
    with running(project, "python manage.py runserver", port=port):
        for block in client_blocks():
            project.run(block)
        [conversation_id] = re.findall(r"^(conv_\w+) \{'topic': 'demo'\}$", project.output, re.MULTILINE)
        project.close()
        admin_url = ADMIN_URL.replace(":8000", f":{port}")
        with httpx2.Client(follow_redirects=True, timeout=600) as client:
            log_in(client, f"{admin_url}login/")
            rows = client.get(f"{admin_url}conversations/conversation/").text
            [path] = set(re.findall(rf'href="/admin/(\S+/{quote(conversation_id)}/change/)', rows))
            transcript = client.get(f"{admin_url}{path}").text
    assert re.search(r"<h3 [^>]*>User</h3>.*Hello!", transcript, re.DOTALL)


def test_wheel_has_every_file_of_the_package_but_its_documentation(wheel):
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = ROOT / "conversations"
    files = {path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert names == {str(path.relative_to(ROOT)) for path in files if DOCS not in path.parents}


def test_description_in_the_wheel_has_only_absolute_links(wheel, tmp_path):
    """The page of a package index has no other file of the repository."""
    [metadata] = [name for name in ZipFile(wheel).namelist() if name.endswith(".dist-info/METADATA")]
    description = tmp_path / "description.md"
    description.write_text(ZipFile(wheel).read(metadata).decode().partition("\n\n")[2])
    links = read_links(description)
    assert len(links) == len(read_links(README)) > 0
    assert [link for link in links if not link.startswith("https://")] == []
