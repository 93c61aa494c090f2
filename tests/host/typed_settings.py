"""Settings of a project whose code is checked by mypy."""

from tests.host.settings import *

AUTH_USER_MODEL = "auth.User"
