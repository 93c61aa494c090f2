"""The official client repeats a request whose key another request is using, until it gets the first answer."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
from django.db import transaction
from openai import OpenAI

from conversations.models import Conversation
from tests.waiting import SECONDS, wait_until

MESSAGE = {"type": "message", "role": "user", "content": "Hello!"}


def test_official_client_repeats_a_409_until_it_gets_the_first_answer(service):
    service.start("--workers", "1")  # On SQLite, another process would wait instead of answering with 409.
    statuses: list[int] = []
    http_client = httpx2.Client(event_hooks={"response": [lambda response: statuses.append(response.status_code)]})
    options = {"base_url": service.base_url, "api_key": service.secret, "max_retries": 100, "timeout": SECONDS}
    with OpenAI(**options, http_client=http_client) as client, service.database.open() as alias:
        conversation = client.conversations.create()
        statuses.clear()

        def append():
            headers = {"Idempotency-Key": "one"}
            items = client.conversations.items.with_raw_response
            return items.create(conversation.id, items=[MESSAGE], extra_headers=headers)

        with ThreadPoolExecutor(2) as pool:
            with transaction.atomic(using=alias):
                Conversation.objects.using(alias).get(pk=conversation.id).lock()  # The first request waits for it.
                requests = [pool.submit(append) for _ in range(2)]
                wait_until(lambda: 409 in statuses)
            first, repeated = sorted((each.result() for each in requests), key=lambda answer: answer.retries_taken)
        assert (first.retries_taken, first.headers.get("idempotency-replayed")) == (0, None)
        assert repeated.retries_taken > 0
        assert repeated.headers["idempotency-replayed"] == "true"
        assert repeated.content == first.content
        assert set(statuses) == {200, 409}
        assert len(client.conversations.items.list(conversation.id).data) == 1
    service.stop()
