"""Settings of a project whose code is checked by mypy."""

from tests.host.settings import *  # noqa: F403

AUTH_USER_MODEL = "auth.User"
