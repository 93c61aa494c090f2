import subprocess
import sys
import threading
import time

from conversations.models import Conversation, DeletedConversation
from tests.live.client import Client, user_message
from tests.live.service import ROOT, clean_environment
from tests.waiting import wait_until

TIMES = 15
PAUSE = 0.01  # seconds between appends, so that the conversation stays short enough to be trashed often


def test_acknowledged_appends_survive_trashing_and_restoring(live_service):
    maker = Client(live_service.port, live_service.secret)
    _, conversation = maker.post("/conversations", metadata={"topic": "restless"}, items=[user_message("first")])
    maker.close()
    is_over = threading.Event()
    results_by_thread: list[list[tuple[int, list[str]]]] = [[] for _ in range(4)]

    def append(results: list[tuple[int, list[str]]]) -> None:
        client = Client(live_service.port, live_service.secret)
        while not is_over.is_set():
            status, body = client.post(
                f"/conversations/{conversation['id']}/items", items=[user_message("one"), user_message("two")]
            )
            results.append((status, [item["id"] for item in body.get("data", [])]))
            time.sleep(PAUSE)
        client.close()

    threads = [threading.Thread(target=append, args=[results]) for results in results_by_thread]
    for thread in threads:
        thread.start()
    wait_until(lambda: all(results_by_thread))
    trashing = subprocess.run(
        [sys.executable, "-m", "tests.live.trash_in_models", conversation["id"], str(TIMES)],
        cwd=ROOT,
        env=clean_environment(**live_service.variables, DJANGO_SETTINGS_MODULE="project.settings"),
    )
    is_over.set()
    for thread in threads:
        thread.join()
    assert trashing.returncode == 0
    # 503: the conversation was locked for longer than a request waits. Such a request must not have stored its items.
    assert {status for results in results_by_thread for status, _ in results} <= {200, 404, 503}

    with live_service.database.open() as alias:
        stored = Conversation.objects.using(alias).get(pk=conversation["id"])
        rows = list(stored.items.order_by("position").values_list("position", "item_id"))
        pairs = list(stored.metadata_pairs.values_list("key", "value"))
        assert not DeletedConversation.objects.using(alias).filter(conversation_id=stored.pk).exists()
    assert [position for position, _ in rows] == list(range(1, stored.item_count + 1))
    item_ids = [item_id for _, item_id in rows][1:]
    acknowledged = [[item_id for _, ids in results for item_id in ids] for results in results_by_thread]
    assert sorted(item_ids) == sorted(item_id for ids in acknowledged for item_id in ids)
    for ids in acknowledged:
        own = set(ids)
        assert [item_id for item_id in item_ids if item_id in own] == ids
    assert pairs == [("topic", "restless")]
