from collections.abc import Iterator

import pytest

from tests.live.database import ScratchDatabase
from tests.live.service import Service


@pytest.fixture
def database(tmp_path, django_db_blocker) -> Iterator[ScratchDatabase]:
    database = ScratchDatabase(tmp_path, django_db_blocker)
    database.create()
    yield database
    database.drop()


@pytest.fixture
def service(database, tmp_path) -> Iterator[Service]:
    """A service that no other test uses. The test starts and stops it."""
    service = Service(database, tmp_path)
    yield service
    service.kill()
