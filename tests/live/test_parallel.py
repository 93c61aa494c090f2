import json
import subprocess
import sys
import threading

import pytest
from openai import OpenAI

from conversations.models import Conversation, Item, MetadataPair
from tests.live.client import Client, user_message
from tests.live.service import ROOT, clean_environment
from tests.waiting import wait_until


@pytest.fixture
def reader(live_service):
    with OpenAI(base_url=live_service.base_url, api_key=live_service.secret, max_retries=0) as client:
        yield client


@pytest.mark.parametrize("program", ["append_over_http", pytest.param("append_in_models", marks=pytest.mark.slow)])
def test_parallel_appends_are_stored_once_and_read_in_one_order(live_service, reader, program):
    conversation = reader.conversations.create()
    environment = clean_environment(**live_service.variables, DJANGO_SETTINGS_MODULE="project.settings")
    appending = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", f"tests.live.{program}"),
                *(conversation.id, name, str(live_service.port), live_service.secret),
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
        )
        for name in ("ann", "ben", "cleo", "dan")
    ]
    read_ids = []
    is_over = False
    while not is_over:
        is_over = all(process.poll() is not None for process in appending)
        after = {"after": read_ids[-1]} if read_ids else {}
        read_ids += [
            item.id for item in reader.conversations.items.list(conversation.id, order="asc", limit=7, **after)
        ]
    acknowledged = [json.loads(process.communicate()[0]) for process in appending]
    assert [process.returncode for process in appending] == [0, 0, 0, 0]

    with live_service.database.open() as alias:
        stored = Conversation.objects.using(alias).get(pk=conversation.id)
        rows = list(stored.items.order_by("position").values_list("position", "item_id"))
    item_ids = [item_id for _, item_id in rows]
    assert [position for position, _ in rows] == list(range(1, stored.item_count + 1))
    assert sorted(item_ids) == sorted(item_id for ids in acknowledged for item_id in ids)
    for ids in acknowledged:
        assert [item_id for item_id in item_ids if item_id in set(ids)] == ids
    assert read_ids == item_ids


def test_conversation_deleted_during_appends_leaves_no_rows_behind(live_service):
    maker = Client(live_service.port, live_service.secret)
    conversation_ids = []
    for _ in range(5):
        _, conversation = maker.post("/conversations", metadata={"topic": "doomed"}, items=[user_message("first")])
        statuses = _append_until_deleted(live_service, maker, conversation["id"])
        assert set(statuses) == {200, 404}
        conversation_ids.append(conversation["id"])
    maker.close()
    with live_service.database.open() as alias:
        assert not Conversation.objects.using(alias).filter(pk__in=conversation_ids).exists()
        assert not Item.objects.using(alias).filter(conversation__in=conversation_ids).exists()
        assert not MetadataPair.objects.using(alias).filter(conversation__in=conversation_ids).exists()


def _append_until_deleted(live_service, maker, conversation_id):
    statuses = []

    def append():
        client = Client(live_service.port, live_service.secret)
        status = 200
        while status == 200:
            status, _ = client.post(
                f"/conversations/{conversation_id}/items", items=[user_message("one"), user_message("two")]
            )
            statuses.append(status)
        client.close()

    threads = [threading.Thread(target=append) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(statuses) >= 12)
    status, _ = maker.delete(f"/conversations/{conversation_id}")
    assert status == 200
    for thread in threads:
        thread.join()
    return statuses
