"""A key that another process than the workers revokes."""

import contextlib
import time

import pytest

from conversations.conf import app_settings
from tests.live.client import Client
from tests.live.service import manage

CLIENTS = 16  # so that every worker answers some of them


@pytest.mark.slow
def test_revoked_key_is_refused_by_every_worker_as_soon_as_documented(live_service):
    secret = live_service.create_api_key("leaver")
    with contextlib.ExitStack() as stack:
        clients = [Client(live_service.port, secret) for _ in range(CLIENTS)]
        for client in clients:
            stack.callback(client.close)

        def statuses() -> set[int]:
            return {client.get("/conversations")[0] for client in clients}

        assert statuses() == {200}
        revoked = manage("revoke_api_key", secret, **live_service.variables)
        assert revoked.returncode == 0, revoked.stderr
        end = time.monotonic() + app_settings.api_key_seconds
        while time.monotonic() < end:
            assert statuses() <= {200, 401}
        assert statuses() == {401}
