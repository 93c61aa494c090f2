from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.docs.host_project import HostProject, environment
from tests.docs.pages import DOCS, ROOT, read_blocks
from tests.docs.runner import Runner

# Where an example needs what a test lacks: a terminal for the password, a release in the package index, and a model.
HOST_REPLACEMENTS = {
    "createsuperuser --username ann": "createsuperuser --username ann --no-input --email ann@example.com",
    "pip install django-conversations": "python -c 'import conversations'",
    "from agents import Agent, Runner\n": (
        "from agents import Agent, Runner\nfrom agents.testing import ScriptedModel, assistant_message\n"
    ),
    'model="gpt-5"': 'model=ScriptedModel([[assistant_message("It is on its way.")]])',
}


@pytest.fixture
def host_project(tmp_path) -> Iterator[HostProject]:
    variables = {"DJANGO_SUPERUSER_PASSWORD": "secret", "OPENAI_AGENTS_DISABLE_TRACING": "1"}
    project = HostProject(tmp_path, environment=environment(**variables), replacements=HOST_REPLACEMENTS)
    project.environment["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
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
