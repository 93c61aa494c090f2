"""A new Django project, in which the code blocks of a page about integration run."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.pages import ROOT
from tests.docs.runner import Runner
from tests.live.service import clean_environment


def environment(**variables: str) -> dict[str, str]:
    """Return a user's environment, with the interpreter of the tests as `python` and nothing of pytest's settings."""
    bin_directory = Path(sys.executable).parent
    path = f"{bin_directory}:{os.environ['PATH']}"
    inherited = clean_environment(**{"PATH": path, "PYTHONPATH": str(ROOT), **variables})
    return {name: value for name, value in inherited.items() if name != "DJANGO_SETTINGS_MODULE"}


class HostProject(Runner):
    def __init__(
        self, directory: Path, *, environment: Mapping[str, str], replacements: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(directory, environment=environment, replacements=replacements)
        self.execute("django-admin", "startproject", "mysite", ".")

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
