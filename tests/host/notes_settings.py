"""Settings of a project whose own rows refer to conversations and items."""

from tests.host.settings import *
from tests.host.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.host.notes"]
