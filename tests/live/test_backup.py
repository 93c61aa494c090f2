"""Backups that are made while clients write, and what is in the database after their restore."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from conversations.models import Conversation, Item
from tests.docs.pages import OPERATING, read_blocks
from tests.live.client import Client, user_message
from tests.live.database import ScratchDatabase
from tests.live.service import ROOT, clean_environment, manage
from tests.waiting import wait_until

WRITERS = 3
MINIMUM = 20  # appends before the backup begins, and after it


class Writers:
    """Clients that append to conversations, and know how many items were acknowledged."""

    def __init__(self, service):
        self.service = service
        self.acknowledged = {}  # number of items by conversation
        self.is_over = threading.Event()

    def write(self):
        client = Client(self.service.port, self.service.secret)
        _status, conversation = client.post("/conversations", metadata={"topic": "backup"})
        self.acknowledged[conversation["id"]] = 0
        while not self.is_over.is_set():
            path = f"/conversations/{conversation['id']}/items"
            status, _answer = client.post(path, items=[user_message(f"café {os.urandom(500).hex()}")])
            assert status == 200
            self.acknowledged[conversation["id"]] += 1
        client.close()

    def wait_for_appends(self):
        start = sum(self.acknowledged.values())
        wait_until(lambda: sum(self.acknowledged.values()) >= start + MINIMUM)

    @contextmanager
    def running(self):
        threads = [threading.Thread(target=self.write) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.is_over.set()
            for thread in threads:
                thread.join()


def read_hashes(database):
    """Return the hash of each item by its conversation and position, and the metadata and count of conversations."""
    with database.open() as alias:
        items = {
            (conversation, position): hashlib.sha256(
                json.dumps([item_id, kind, data], sort_keys=True).encode()
            ).digest()
            for conversation, position, item_id, kind, data in Item.objects.using(alias).values_list(
                "conversation_id", "position", "item_id", "type", "data"
            )
        }
        conversations = {
            pk: (metadata, count)
            for pk, metadata, count in Conversation.objects.using(alias).values_list("pk", "metadata", "item_count")
        }
        assert User.objects.using(alias).count() == 1
    return items, conversations


def documented_commands(word):
    [block] = [block.text for block in read_blocks(OPERATING) if word in block.text]
    return block


def execute(text, directory, **variables):
    environment = {
        **clean_environment(**variables),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
    }
    if not (directory / "manage.py").exists():
        (directory / "manage.py").symlink_to(ROOT / "manage.py")
    run = subprocess.run(["bash", "-euc", text], cwd=directory, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def adapt(text, database):
    """Name the database in the commands for MariaDB, which do not read DATABASE_URL."""
    return re.sub(r"\bconversations (?=[<>])", f"{Path(database.name).name} ", text)


@pytest.mark.slow
def test_restored_backup_of_a_busy_service_has_what_was_acknowledged_with_equal_hashes(
    service, database, tmp_path, django_db_blocker
):
    words = {"sqlite": ("backup backup", "restore backup"), "postgresql": ("file=backup.dump", "--clean")}
    backup, restore = words.get(connection.vendor, ("mariadb-dump", "< backup.sql"))
    target = ScratchDatabase(tmp_path, django_db_blocker)
    target.create()
    try:
        service.start()
        writers = Writers(service)
        with writers.running():
            writers.wait_for_appends()
            before = dict(writers.acknowledged)
            execute(adapt(documented_commands(backup), database), tmp_path, **service.variables)
            writers.wait_for_appends()
        variables = {**service.variables, "DATABASE_URL": target.url}
        output = execute(adapt(documented_commands(restore), target), tmp_path, **variables)
        items, conversations = read_hashes(target)
        live_items, _conversations = read_hashes(database)
        assert {key: live_items[key] for key in items} == items
        for pk, count in before.items():
            metadata, restored_count = conversations[pk]
            assert metadata == {"topic": "backup"}
            assert restored_count == sum(conversation == pk for conversation, _ in items) >= count
        assert len(items) < len(live_items)
        if connection.vendor == "sqlite":
            assert f": {len(conversations):,} conversations and {len(items):,} items." in output
        checked = manage("check_metadata_index", **variables)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        service.stop()
    finally:
        target.drop()


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "sqlite", reason="backup and restore are for SQLite")
def test_sqlite_is_restored_while_the_service_runs(service, database, tmp_path):
    service.start()
    client = Client(service.port, service.secret)
    kept = client.post("/conversations")[1]["id"]
    assert manage("backup", str(tmp_path / "backup.sqlite3"), **service.variables).returncode == 0
    lost = client.post("/conversations")[1]["id"]
    restored = manage("restore", str(tmp_path / "backup.sqlite3"), "--no-input", **service.variables)
    assert restored.stdout.endswith("backup.sqlite3: 1 conversation and 0 items.\n"), restored.stderr
    assert client.get(f"/conversations/{kept}")[0] == 200
    assert client.get(f"/conversations/{lost}")[0] == 404
    assert client.post(f"/conversations/{kept}/items", items=[user_message("x")])[0] == 200
    client.close()
    service.stop()


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "sqlite", reason="backup and restore are for SQLite")
def test_damaged_or_foreign_file_is_not_restored(database, tmp_path):
    variables = {**database.variables, "SECRET_KEY": "x"}
    assert manage("migrate", **variables).returncode == 0
    letter = tmp_path / "letter.sqlite3"
    letter.write_text("Dear database, " * 1_000)
    before = Path(database.name).read_bytes()
    for file, reason in ((letter, "is no backup of this service"), (tmp_path / "nowhere", "There is no file")):
        refused = manage("restore", str(file), "--no-input", **variables)
        assert refused.returncode == 1
        assert reason in refused.stderr
    assert Path(database.name).read_bytes() == before


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has both commands")
@pytest.mark.parametrize("arguments", [["backup", "x"], ["restore", "x", "--no-input"]], ids=lambda each: each[0])
def test_other_databases_have_recipes_instead(arguments):
    with pytest.raises(CommandError, match=r"pg_dump .* mariadb-dump"):
        call_command(*arguments)
