"""Settings of a project whose users cannot be created with a name alone."""

from tests.host.settings import *
from tests.host.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.host.members"]
AUTH_USER_MODEL = "members.Member"
