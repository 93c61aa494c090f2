from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.sdk.blocking import Blocking, Run
from tests.sdk.endpoints import InProcess, Live


@pytest.fixture(scope="session")
def bobs_live_secret(live_service) -> str:
    return live_service.create_api_key("bob")


@pytest.fixture
def in_process(alice_secret, bob_secret, settings) -> InProcess:
    settings.CONVERSATIONS_MAX_BODY_BYTES = 1_000_000
    return InProcess(secret=alice_secret, bobs_secret=bob_secret)


@pytest.fixture
def live(live_service, bobs_live_secret) -> Live:
    return Live(secret=live_service.secret, bobs_secret=bobs_live_secret, base_url=live_service.base_url)


@pytest.fixture(params=["in_process", pytest.param("live", marks=pytest.mark.live)])
def endpoint(request, db) -> InProcess | Live:
    return request.getfixturevalue(request.param)


@pytest.fixture
def run(endpoint) -> Iterator[Run]:
    with endpoint.running() as run:
        yield run


@pytest.fixture(params=["sync", "async"])
def client(request, endpoint, run) -> Iterator[OpenAI | Blocking]:
    if request.param == "sync":
        with endpoint.sync_client() as client:
            yield client
    else:
        client = Blocking(endpoint.async_client(), run)
        yield client
        client.close()
