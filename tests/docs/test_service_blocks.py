"""The code blocks for operators, run with the service's own commands."""

import gzip
import json
import shlex
import signal
import subprocess
from collections.abc import Iterator

import pytest
from django.db import connection

from tests.docs.pages import OPERATING, Block, read_blocks
from tests.docs.runner import Runner
from tests.live.database import ScratchDatabase
from tests.live.service import free_port
from tests.transfer.remote_stub import HEX, RemoteStub, running_stub
from tests.waiting import wait_until

EXAMPLE_URL = "postgres://conversations:password@db.example.com/conversations"
CREATE_DEMO = """
from django.contrib.auth.models import User
from conversations.models import Conversation

Conversation.objects.create_with_items(owner=User.objects.create_user("ann"), metadata={"topic": "demo"})
"""
LISTED_ID = f"conv_{HEX}"  # created in 2026
SEEDED = 20  # conversations, all of them older than 2026


@pytest.fixture
def other_server() -> Iterator[RemoteStub]:
    with running_stub() as stub:
        stub.add(LISTED_ID)
        stub.add(LISTED_ID.replace("0", "1"))
        yield stub


@pytest.mark.slow
def test_every_block_for_operators_runs(service_runner, other_server, tmp_path, django_db_blocker):
    """The last database that a block names is the one that the suite runs on; the first is SQLite."""
    database = ScratchDatabase(tmp_path, django_db_blocker)
    database.create()
    runner = service_runner(
        {
            EXAMPLE_URL: database.url,
            "ALTER DATABASE conversations": f"ALTER DATABASE {database.name}",
            "https://old.example.com/v1": other_server.base_url,
        }
    )
    runner.environment["OPENAI_BASE_URL"] = other_server.base_url
    runner.write_file("ids.txt", f"{LISTED_ID}\n")
    try:
        for block in read_blocks(OPERATING):
            if block in read_blocks(OPERATING, under="In production"):
                continue  # tests/docs/test_production.py runs them.
            if block.language == "nginx":
                continue  # tests/live/test_nginx.py runs it.
            if connection.vendor != "postgresql" and ("pg_" in block.text or block.language == "sql"):
                continue
            if "mariadb" in block.text or (connection.vendor != "sqlite" and "backup.sqlite3" in block.text):
                continue  # tests/live/test_backup.py runs them.
            if "manage.py serve" in block.text:
                serve_and_interrupt(runner, block)
                continue
            if "pg_restore" in block.text:
                runner.execute("python", "manage.py", "delete_conversations", "--query=created>1", "--no-input")
                assert count_conversations(runner) == 0
            runner.run(block)
            if "manage.py migrate" in block.text:
                runner.execute("python", "manage.py", "shell", "-c", CREATE_DEMO)
                runner.execute("python", "-m", "tests.seed", f"--conversations={SEEDED}")
            if "import_conversations" in block.text:
                assert runner.output == f"Added 0 conversations and 0 items. {SEEDED + 1} were already there.\n"
                assert count_conversations(runner) == SEEDED + 1
            if "import_from_openai" in block.text:
                assert runner.output.splitlines() == [
                    "Added 1 conversation and 0 items. 0 were already there.",
                    "Added 1 conversation and 0 items. 1 were already there.",
                ]
        assert count_conversations(runner) == 1 + len(other_server.conversations)
        assert (tmp_path / "backup.sqlite3").exists() == (connection.vendor == "sqlite")
        assert len(read_conversations(gzip.decompress((tmp_path / "all.jsonl.gz").read_bytes()))) == SEEDED + 1
        [demo] = read_conversations((tmp_path / "demo.jsonl").read_bytes())
        assert (demo["owner"], demo["metadata"]) == ("ann", {"topic": "demo"})
        assert (tmp_path / "ann.html").read_text().count("<article>") == 1
    finally:
        database.drop()


def read_conversations(lines: bytes) -> list[dict[str, str]]:
    values = map(json.loads, lines.splitlines())
    return [value for value in values if value["object"] == "conversation"]


def count_conversations(runner: Runner) -> int:
    source = "from conversations.models import Conversation; print(Conversation.objects.count())"
    return int(runner.execute("python", "manage.py", "shell", "-c", source).splitlines()[-1])


def serve_and_interrupt(runner: Runner, block: Block) -> None:
    """Run a command that starts the service until the service answers, and stop it as Ctrl-C does."""
    port = free_port()
    assert "--port 8000" in block.text
    process = subprocess.Popen(
        shlex.split(block.text.replace("--port 8000", f"--port {port}")),
        cwd=runner.directory,
        env=runner.environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: is_answering(port) or process.poll() is not None, seconds=600)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=600) == 0
    finally:
        process.kill()


def is_answering(port: int) -> bool:
    url = f"http://127.0.0.1:{port}/v1/"
    return subprocess.run(["curl", "-s", url], capture_output=True, timeout=30).returncode == 0
