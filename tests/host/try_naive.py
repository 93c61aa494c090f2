"""Let the system checks refuse a project without time zones. A test runs this in a process of its own."""

import django
import pytest

django.setup()

from django.core.management import call_command
from django.core.management.base import SystemCheckError

with pytest.raises(SystemCheckError) as refused:
    call_command("check")
message = str(refused.value)
assert "(conversations.E017) USE_TZ is False" in message, message
assert "HINT: Set USE_TZ = True." in message, message
