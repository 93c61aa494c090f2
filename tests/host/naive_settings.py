"""Settings of a project without time zones, which the app does not support."""

from tests.host.settings import *

USE_TZ = False
