"""Settings of a project whose own rows refer to conversations and items."""

from tests.host.settings import *  # noqa: F403
from tests.host.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.host.notes"]
