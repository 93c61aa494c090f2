import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, read_blocks
from tests.docs.runner import Runner
from tests.live.service import clean_environment

# Where an example needs what a test lacks: a terminal for the password, a release in the package index, and a model.
HOST_REPLACEMENTS = {
    "createsuperuser --username ann": "createsuperuser --username ann --no-input --email ann@example.com",
    "pip install django-conversations": "python -c 'import conversations'",
    "from agents import Agent, Runner\n": (
        "from agents import Agent, Runner\nfrom agents.testing import ScriptedModel, assistant_message\n"
    ),
    'model="gpt-5"': 'model=ScriptedModel([[assistant_message("It is on its way.")]])',
}


def environment(**variables: str) -> dict[str, str]:
    """Return a user's environment, with the interpreter of the tests as `python` and nothing of pytest's settings."""
    bin_directory = Path(sys.executable).parent
    path = f"{bin_directory}:{os.environ['PATH']}"
    inherited = clean_environment(**{"PATH": path, "PYTHONPATH": str(ROOT), **variables})
    return {name: value for name, value in inherited.items() if name != "DJANGO_SETTINGS_MODULE"}


class HostProject(Runner):
    """A new Django project, in which the blocks of a page about integration run."""

    def __init__(self, directory: Path) -> None:
        variables = {"DJANGO_SUPERUSER_PASSWORD": "secret", "OPENAI_AGENTS_DISABLE_TRACING": "1"}
        super().__init__(directory, environment=environment(**variables), replacements=HOST_REPLACEMENTS)
        subprocess.run([sys.executable, "-m", "django", "startproject", "mysite", directory], check=True, timeout=60)
        self.environment["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

    def write_file(self, name: str, text: str) -> None:
        """Add the text to `settings.py` or `urls.py` of the project, or to a module of an app, which is created."""
        app, _, module = name.rpartition("/")
        if not app:
            super().write_file(f"mysite/{module}", text)
            return
        if not (self.directory / app).exists():
            (self.directory / app).mkdir()
            super().write_file("mysite/settings.py", f'INSTALLED_APPS += ["{app}"]\n')
        super().write_file(name, text)


@pytest.fixture
def host_project(tmp_path) -> Iterator[HostProject]:
    project = HostProject(tmp_path)
    yield project
    project.close()


@pytest.fixture
def integrated_project(host_project) -> HostProject:
    """A project in which a reader has followed the instructions to install the app."""
    for block in read_blocks(DOCS / "django-integration.md", under="Install"):
        host_project.run(block)
    return host_project


@pytest.fixture
def service_runner(tmp_path) -> Iterator[Callable[..., Runner]]:
    """Function that returns a runner for commands of the service, on a SQLite database in a folder of its own."""
    runners: list[Runner] = []

    def create(replacements: Mapping[str, str]) -> Runner:
        (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
        variables = {"DATABASE_URL": f"sqlite:///{tmp_path / 'conversations.sqlite3'}", "SECRET_KEY": "documentation"}
        runners.append(Runner(tmp_path, environment=environment(**variables), replacements=replacements))
        return runners[-1]

    yield create
    for runner in runners:
        runner.close()
