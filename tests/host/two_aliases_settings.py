"""Settings of a project without a default database that reads from another database than it writes to."""

from tests.host.settings import *

SQLITE = "django.db.backends.sqlite3"
DATABASES = {
    "default": {},
    "primary": {"ENGINE": SQLITE, "NAME": ":memory:", "ATOMIC_REQUESTS": True},
    "replica": {"ENGINE": SQLITE, "NAME": ":memory:"},
}
DATABASE_ROUTERS = ["tests.host.two_aliases.PrimaryReplicaRouter"]
CONVERSATIONS_FULL_TEXT = True
