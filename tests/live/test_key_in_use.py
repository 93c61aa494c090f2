"""The official client repeats a request whose key another request is using, until it gets the first answer."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from django.db import connection, transaction
from openai import OpenAI

from conversations.models import Conversation
from tests.live.service import Service
from tests.waiting import SECONDS, wait_until

MESSAGE = {"type": "message", "role": "user", "content": "Hello!"}


@pytest.fixture
def other_service(database, tmp_path):
    service = Service(database, tmp_path)
    yield service
    service.kill()


def is_other(name):
    """Mark the case of two processes, which SQLite lets wait instead of answering one with 409."""
    return pytest.param(name, marks=pytest.mark.skipif(connection.vendor == "sqlite", reason="needs two writers"))


@pytest.mark.parametrize("second", ["service", is_other("other_service")])
def test_official_client_repeats_a_409_until_it_gets_the_first_answer(service, second, request):
    services = [service, request.getfixturevalue(second)]
    for each in dict.fromkeys(services):
        each.start("--workers", "1")
    statuses: list[int] = []
    http_client = httpx2.Client(event_hooks={"response": [lambda response: statuses.append(response.status_code)]})
    options = {"base_url": service.base_url, "api_key": service.secret, "max_retries": 100, "timeout": SECONDS}
    with OpenAI(**options, http_client=http_client) as client, service.database.open() as alias:
        conversation = client.conversations.create()
        statuses.clear()

        def append(each):
            headers = {"Idempotency-Key": "one"}
            items = client.copy(base_url=each.base_url).conversations.items.with_raw_response
            return items.create(conversation.id, items=[MESSAGE], extra_headers=headers)

        with ThreadPoolExecutor(2) as pool:
            with transaction.atomic(using=alias):
                Conversation.objects.using(alias).get(pk=conversation.id).lock()  # The first request waits for it.
                requests = [pool.submit(append, each) for each in services]
                wait_until(lambda: 409 in statuses)
            first, repeated = sorted((each.result() for each in requests), key=lambda answer: answer.retries_taken)
        assert (first.retries_taken, first.headers.get("idempotency-replayed")) == (0, None)
        assert repeated.retries_taken > 0
        assert repeated.headers["idempotency-replayed"] == "true"
        assert repeated.content == first.content
        assert set(statuses) == {200, 409}
        assert len(client.conversations.items.list(conversation.id).data) == 1
    for each in dict.fromkeys(services):
        each.stop()
