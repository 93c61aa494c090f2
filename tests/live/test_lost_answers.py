"""Requests of the official client whose answers are lost, so that it repeats them."""

import socket
from collections.abc import Iterator
from threading import Thread

import pytest
from openai import OpenAI

from conversations.models import Conversation
from tests.cutting_proxy import CuttingProxy

MESSAGE = {"type": "message", "role": "user", "content": "Hello!"}
FIRST_TRY = b"x-stainless-retry-count: 0"


@pytest.fixture
def proxy(live_service) -> Iterator[CuttingProxy]:
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = CuttingProxy(listener, ("127.0.0.1", live_service.port))
    thread = Thread(target=proxy.serve)
    thread.start()
    yield proxy
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    proxy.join()
    listener.close()


@pytest.mark.parametrize("has_key", [True, False])
def test_client_that_loses_answers_writes_everything_once(live_service, proxy, has_key):
    username = f"loses-answers-{has_key}"
    base_url = f"http://127.0.0.1:{proxy.port}/v1"
    with OpenAI(base_url=base_url, api_key=live_service.create_api_key(username)) as client:
        if has_key:
            client._idempotency_header = "Idempotency-Key"
            proxy.cut_after = FIRST_TRY
        conversation = client.conversations.create(metadata={"topic": "first"}, items=[MESSAGE])
        for _ in range(2):
            proxy.cut_after = FIRST_TRY
            added = client.conversations.items.create(conversation.id, items=[MESSAGE, MESSAGE])
        proxy.cut_after = FIRST_TRY
        client.conversations.update(conversation.id, metadata={"topic": "second"})
        proxy.cut_after = FIRST_TRY
        client.conversations.items.delete(added.last_id, conversation_id=conversation.id)
        with live_service.database.open() as alias:
            [stored] = Conversation.objects.using(alias).filter(owner__username=username)
            assert (stored.metadata, stored.item_count, stored.last_position) == ({"topic": "second"}, 4, 5)
        proxy.cut_after = FIRST_TRY
        client.conversations.delete(conversation.id)
        with live_service.database.open() as alias:
            assert not Conversation.objects.using(alias).filter(owner__username=username).exists()
    assert proxy.cuts == (6 if has_key else 5)
