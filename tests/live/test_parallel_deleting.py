import subprocess
import sys
import threading
from functools import partial

import pytest

from conversations.models import Conversation, Item, ItemText, MetadataPair
from tests.live.client import Client, user_message
from tests.live.service import ROOT, clean_environment
from tests.waiting import wait_until

SHORT, LONG = 30, 2  # number of conversations
LONG_SIZE = 300  # items
BETWEEN_KILLS = 150  # items to delete between two kills


@pytest.fixture
def maker(live_service):
    client = Client(live_service.port, live_service.secret)
    yield client
    client.close()


def start_deleting(live_service, topic: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "delete_conversations", f"--query=topic:{topic}", "--no-input", "--batch=60"],
        cwd=ROOT,
        env=clean_environment(**live_service.variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def create_conversations(maker, topic: str) -> list[str]:
    ids = []
    for number in range(SHORT + LONG):
        items = [user_message("hello")] * (number % 4)
        ids.append(maker.post("/conversations", metadata={"topic": topic}, items=items)[1]["id"])
    for conversation_id in ids[:: SHORT // LONG][:LONG]:
        for _ in range(LONG_SIZE // 20):
            maker.post(f"/conversations/{conversation_id}/items", items=[user_message("hello")] * 20)
    return ids


class BackgroundAppends:
    """Threads that append to the conversations in turn until the end of the block."""

    def __init__(self, live_service, conversation_ids: list[str], threads: int) -> None:
        self.results: list[tuple[str, int, list[str]]] = []
        self._service = live_service
        self._is_over = threading.Event()
        self._threads = [
            threading.Thread(target=self._append, args=[conversation_ids[number:] + conversation_ids[:number]])
            for number in range(threads)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        wait_until(lambda: len(self.results) > 20)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _append(self, conversation_ids: list[str]) -> None:
        client = Client(self._service.port, self._service.secret)
        while not self._is_over.is_set():
            for conversation_id in conversation_ids:
                status, body = client.post(
                    f"/conversations/{conversation_id}/items", items=[user_message("one"), user_message("two")]
                )
                self.results.append((conversation_id, status, [item["id"] for item in body.get("data", [])]))
        client.close()


@pytest.mark.slow
def test_appends_continue_during_a_bulk_deletion(live_service, maker):
    doomed_ids = create_conversations(maker, "doomed")
    kept_ids = [maker.post("/conversations", metadata={"topic": "other"})[1]["id"] for _ in range(4)]
    with (
        BackgroundAppends(live_service, doomed_ids, 2) as doomed_appends,
        BackgroundAppends(live_service, kept_ids, 2) as kept_appends,
    ):
        deleting = start_deleting(live_service, "doomed")
        output, errors = deleting.communicate()
    assert (deleting.returncode, errors) == (0, "")
    assert output.startswith(f"Deleted {SHORT + LONG} conversations with ")

    assert {status for _, status, _ in doomed_appends.results} == {200, 404}
    assert {status for _, status, _ in kept_appends.results} == {200}
    with live_service.database.open() as alias:
        assert not Conversation.objects.using(alias).filter(pk__in=doomed_ids).exists()
        for model in (Item, ItemText, MetadataPair):
            assert not model.objects.using(alias).filter(conversation__in=doomed_ids).exists()
        for conversation in Conversation.objects.using(alias).filter(pk__in=kept_ids):
            rows = list(conversation.items.order_by("position").values_list("position", "item_id"))
            acknowledged = [key for pk, _, keys in kept_appends.results if pk == conversation.pk for key in keys]
            assert sorted(key for _, key in rows) == sorted(acknowledged)
            assert [position for position, _ in rows] == list(range(1, conversation.item_count + 1))


@pytest.mark.slow
def test_killed_bulk_deletion_leaves_tables_in_sync_and_can_be_resumed(live_service, maker):
    doomed_ids = create_conversations(maker, "killed")
    remaining = None
    while remaining != 0:
        deleting = start_deleting(live_service, "killed")
        before = count_items(live_service, doomed_ids)
        wait_until(partial(has_progressed, deleting, live_service, doomed_ids, before))
        deleting.kill()
        deleting.communicate()
        with live_service.database.open() as alias:
            rows = list(Conversation.objects.using(alias).filter(pk__in=doomed_ids))
            positions = set(
                Item.objects.using(alias).filter(conversation__in=doomed_ids).values_list("conversation", "position")
            )
            texts = ItemText.objects.using(alias).filter(conversation__in=doomed_ids)
            assert set(texts.values_list("conversation", "position")) == positions
            assert {key for key, _ in positions} <= {row.pk for row in rows}
            for row in rows:
                assert row.item_count == sum(key == row.pk for key, _ in positions)
            pairs = MetadataPair.objects.using(alias).filter(conversation__in=doomed_ids)
            assert set(pairs.values_list("conversation", flat=True)) == {row.pk for row in rows}
        remaining = len(rows) + len(positions)


def has_progressed(deleting: subprocess.Popen[str], live_service, conversation_ids: list[str], before: int) -> bool:
    return deleting.poll() is not None or count_items(live_service, conversation_ids) <= before - BETWEEN_KILLS


def count_items(live_service, conversation_ids: list[str]) -> int:
    with live_service.database.open() as alias:
        return Item.objects.using(alias).filter(conversation__in=conversation_ids).count()
