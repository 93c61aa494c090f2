from collections.abc import Iterator

import pytest

from tests.transfer.remote_stub import RemoteStub, running_stub


@pytest.fixture
def stub() -> Iterator[RemoteStub]:
    with running_stub() as stub:
        yield stub
