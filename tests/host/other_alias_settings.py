"""Settings of the test suite with all tables in another database than the default one, so that this one stays empty."""

from tests.settings import *
from tests.settings import DATABASES

OTHER_ALIAS = "other"
DATABASES = {**DATABASES, OTHER_ALIAS: DATABASES["default"].copy()}
if not DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # there, each alias has a test database of its own
    DATABASES[OTHER_ALIAS]["TEST"] = {"NAME": f"test_{DATABASES['default']['NAME']}_other"}
DATABASE_ROUTERS = ["tests.host.other_alias.OtherAliasRouter"]
