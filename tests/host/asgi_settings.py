"""Settings of the test suite with requests that go through Django's ASGI handler."""

from tests.settings import *

USES_ASGI = True
