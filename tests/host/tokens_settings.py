"""Settings of a project whose API accepts other credentials beside API keys: tokens, and names with passwords."""

from tests.host.settings import *
from tests.host.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework.authtoken"]
CONVERSATIONS_AUTHENTICATION_CLASSES = [
    "conversations.api.authentication.APIKeyAuthentication",
    "tests.host.tokens.BearerTokenAuthentication",
    "rest_framework.authentication.BasicAuthentication",
]
