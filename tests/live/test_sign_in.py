"""A running service without passwords."""

import pytest
from django.contrib.auth.models import User

from conversations.models import APIKey
from tests.test_sign_in_settings import PROVIDER


@pytest.mark.slow
def test_first_start_without_passwords_prints_a_key_and_no_password(service):
    service.variables |= {**PROVIDER, "PASSWORD_LOGIN": "false"}
    service.start()
    assert "password" not in service.stdout
    assert service.secret.startswith("sk-conv-")
    with service.database.open() as alias:
        assert not User.objects.using(alias).get(username="admin").has_usable_password()
        assert APIKey.objects.using(alias).get().user.username == "admin"
    service.stop()
