from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from openai import OpenAI

from tests.live.service import Service, running_service
from tests.responses.fake_upstream import FakeUpstream, running_upstream
from tests.waiting import SECONDS

UPSTREAM_KEY = "sk-upstream"


@dataclass
class Stage:
    """A running service that calls the models of a fake upstream."""

    service: Service
    upstream: FakeUpstream

    @property
    def base_url(self) -> str:
        """The base URL of the process that calls models."""
        return f"http://127.0.0.1:{self.service.port + 1}/v1"

    def client(self, **options: Any) -> OpenAI:
        defaults = {"api_key": self.service.secret, "max_retries": 0, "timeout": SECONDS}
        return OpenAI(base_url=self.base_url, **{**defaults, **options})


@pytest.fixture(scope="session")
def stage(tmp_path_factory, django_db_blocker) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("responses")
    with running_upstream() as upstream:
        variables = {
            "CONVERSATIONS_UPSTREAM_URL": upstream.url,
            "CONVERSATIONS_UPSTREAM_API_KEY": UPSTREAM_KEY,
            "CONVERSATIONS_MAX_BODY_BYTES": "1000000",
        }
        with running_service(directory, django_db_blocker, **variables) as service:
            yield Stage(service, upstream)


@pytest.fixture(autouse=True)
def _stalled_again(request: pytest.FixtureRequest) -> None:
    if "stage" in request.fixturenames:
        request.getfixturevalue("stage").upstream.released.clear()


@pytest.fixture
def client(stage) -> Iterator[OpenAI]:
    with stage.client() as client:
        yield client
