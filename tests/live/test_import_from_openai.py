"""Copies between two running services, through a proxy that injects faults."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from conversations.schema.include import INCLUDABLE
from tests.live.client import Client, user_message
from tests.live.database import ScratchDatabase
from tests.live.faulty_proxy import running_proxy
from tests.live.service import ROOT, Service, clean_environment, manage
from tests.schema.golden import FILES
from tests.waiting import wait_until

INCLUDE = "&".join(f"include[]={name}" for name in INCLUDABLE)


@pytest.fixture
def other_service(tmp_path, django_db_blocker) -> Iterator[Service]:
    (tmp_path / "other").mkdir()
    database = ScratchDatabase(tmp_path / "other", django_db_blocker)
    service = Service(database, tmp_path / "other")
    database.create()
    try:
        service.start()
        yield service
    finally:
        service.kill()
        database.drop()


@pytest.mark.slow
def test_interrupted_copy_through_a_faulty_network_is_completed_by_another_run(live_service, other_service):
    secret, target_secret = live_service.create_api_key("carol"), other_service.create_api_key("carol")
    with connected(live_service, secret) as source:
        conversation_ids = [create(source, items) for items in (golden_items(), [user_message("Grüße 🎉")] * 250, [])]
        conversation_ids += [create(source, [user_message(str(number))]) for number in range(6)]
        originals = read_all(source)
    assert originals.keys() == set(conversation_ids)
    with running_proxy(live_service.port) as proxy:
        arguments = ["import_from_openai", "--list", "--owner=carol", f"--base-url={proxy.base_url}"]
        variables = {**other_service.variables, "OPENAI_API_KEY": secret}
        proxy.pause_after = 20
        command = [sys.executable, "manage.py", *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=clean_environment(**variables))
        wait_until(lambda: proxy.is_paused)
        process.kill()
        process.wait()
        proxy.resume()
        with connected(other_service, target_secret) as target:
            copies = read_all(target)
        assert 0 < len(copies) < len(originals)
        assert copies.items() <= originals.items()
        second = manage(*arguments, **variables)
        assert (second.returncode, second.stderr) == (0, "")
        third = manage(*arguments, **variables)
        assert third.stdout == f"Added 0 conversations and 0 items. {len(originals)} were already there.\n"
    assert all(proxy.counts.values()), proxy.counts
    with connected(other_service, target_secret) as target:
        assert read_all(target) == originals


@contextmanager
def connected(service: Service, secret: str) -> Iterator[Client]:
    client = Client(service.port, secret)
    yield client
    client.close()


def create(client: Client, items: list[dict[str, Any]]) -> str:
    """Create a conversation with any number of items, and return its id."""
    status, conversation = client.post("/conversations", metadata={"topic": "copy", "count": str(len(items))})
    assert status == 200
    for start in range(0, len(items), 20):
        status, body = client.post(f"/conversations/{conversation['id']}/items", items=items[start : start + 20])
        assert status == 200, body
    return str(conversation["id"])


def golden_items() -> list[dict[str, Any]]:
    """Return items of every type that is stored, with ids that differ."""
    items: dict[str, dict[str, Any]] = {}
    for item_type in sorted(FILES.keys() - {"compaction_trigger", "item_reference"}):
        for case in FILES[item_type]["accepted"]:
            items.setdefault(case["sent"].get("id") or f"{item_type} without an id", case["sent"])
    return list(items.values())


def read_all(client: Client) -> dict[str, Any]:
    """Return each conversation of the client with its items, by id."""
    return {
        conversation["id"]: (conversation, read_pages(client, f"/conversations/{conversation['id']}/items?{INCLUDE}&"))
        for conversation in read_pages(client, "/conversations?")
    }


def read_pages(client: Client, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page: dict[str, Any] = {"has_more": True, "last_id": ""}
    while page["has_more"]:
        after = f"&after={page['last_id']}" if rows else ""
        status, page = client.get(f"{path}limit=100&order=asc{after}")
        assert status == 200, page
        rows += page["data"]
    return rows
