import subprocess
import sys
import threading
from functools import partial

import pytest

from conversations.models import Conversation, Item, ItemText, MetadataPair
from tests.live.client import Client, user_message
from tests.live.service import ROOT, clean_environment, wait_until

SHORT, LONG, ITEMS = 60, 3, 400  # items of a long one
BETWEEN_KILLS = 200  # items


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


def conversations_of(maker, topic: str) -> list[str]:
    ids = []
    for number in range(SHORT + LONG):
        items = [user_message("hello")] * (number % 4)
        ids.append(maker.post("/conversations", metadata={"topic": topic}, items=items)[1]["id"])
    for conversation_id in ids[:: SHORT // LONG][:LONG]:
        for _ in range(ITEMS // 20):
            maker.post(f"/conversations/{conversation_id}/items", items=[user_message("hello")] * 20)
    return ids


class Appending:
    """Threads that append to these conversations in turn until they are told to stop."""

    def __init__(self, live_service, conversation_ids: list[str], threads: int) -> None:
        self.answers: list[tuple[str, int, list[str]]] = []
        self._service = live_service
        self._is_over = threading.Event()
        self._threads = [
            threading.Thread(target=self._append, args=[conversation_ids[number:] + conversation_ids[:number]])
            for number in range(threads)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        wait_until(lambda: len(self.answers) > 20)
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
                self.answers.append((conversation_id, status, [item["id"] for item in body.get("data", [])]))
        client.close()


def test_appends_continue_during_a_bulk_deletion(live_service, maker):
    doomed = conversations_of(maker, "doomed")
    kept = [maker.post("/conversations", metadata={"topic": "kept"})[1]["id"] for _ in range(4)]
    with Appending(live_service, doomed, 2) as to_doomed, Appending(live_service, kept, 2) as to_kept:
        deleting = start_deleting(live_service, "doomed")
        output, errors = deleting.communicate(timeout=120)
    assert (deleting.returncode, errors) == (0, "")
    assert output.startswith(f"Deleted {SHORT + LONG} conversations with ")

    assert {status for _, status, _ in to_doomed.answers} == {200, 404}
    assert {status for _, status, _ in to_kept.answers} == {200}
    with live_service.database.opened() as alias:
        assert not Conversation.objects.using(alias).filter(pk__in=doomed).exists()
        for model in (Item, ItemText, MetadataPair):
            assert not model.objects.using(alias).filter(conversation__in=doomed).exists()
        for conversation in Conversation.objects.using(alias).filter(pk__in=kept):
            rows = list(conversation.items.order_by("position").values_list("position", "item_id"))
            acknowledged = [key for pk, _, keys in to_kept.answers if pk == conversation.pk for key in keys]
            assert sorted(key for _, key in rows) == sorted(acknowledged)
            assert [position for position, _ in rows] == list(range(1, conversation.item_count + 1))


def test_killed_bulk_deletion_leaves_tables_in_sync_and_can_be_resumed(live_service, maker):
    doomed = conversations_of(maker, "killed")
    seen = set()
    while seen != {0}:
        deleting = start_deleting(live_service, "killed")
        before = count(live_service, doomed)
        wait_until(partial(has_come_on, deleting, live_service, doomed, before))
        deleting.kill()
        deleting.communicate()
        with live_service.database.opened() as alias:
            rows = list(Conversation.objects.using(alias).filter(pk__in=doomed))
            places = set(
                Item.objects.using(alias).filter(conversation__in=doomed).values_list("conversation", "position")
            )
            texts = ItemText.objects.using(alias).filter(conversation__in=doomed)
            assert set(texts.values_list("conversation", "position")) == places
            assert {key for key, _ in places} <= {row.pk for row in rows}
            for row in rows:
                assert row.item_count == sum(key == row.pk for key, _ in places)
            pairs = MetadataPair.objects.using(alias).filter(conversation__in=doomed)
            assert set(pairs.values_list("conversation", flat=True)) == {row.pk for row in rows}
        seen = {len(rows) + len(places)}


def has_come_on(deleting: subprocess.Popen[str], live_service, doomed: list[str], before: int) -> bool:
    return deleting.poll() is not None or count(live_service, doomed) <= before - BETWEEN_KILLS


def count(live_service, conversation_ids: list[str]) -> int:
    with live_service.database.opened() as alias:
        return Item.objects.using(alias).filter(conversation__in=conversation_ids).count()
