"""The latency of appends while old conversations are deleted, on PostgreSQL.

    DATABASE_URL=postgres://… SECRET_KEY=x .venv/bin/python -m tests.benchmarks.purge --items 1000000

creates a database `…_purge` on that server and fills it with items to delete, half of them in one conversation and
half in conversations of ten. Sixteen processes append an item at regular intervals, in turn to a conversation of their
own, to one that all share and, until it is deleted, to the long one. The table has their latency while nothing else
runs, during `delete_conversations` and during `purge_deleted_conversations`. The machine should have nothing else to
do. The database is dropped at the end.
"""

import argparse
import multiprocessing
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from statistics import median, quantiles
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django
import orjson

django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from conversations.errors import APIError
from conversations.models import Conversation, DeletedConversation, DeletedPart
from conversations.schema.items import validate_items
from conversations.trash import PART_BYTES

APPENDERS = 16
SHORT_SIZE = 10  # items
LONG_ID = "conv_" + 48 * "0"
[MESSAGE] = validate_items([{"role": "user", "content": "Where is my order? " * 25}])
FORK = multiprocessing.get_context("fork")

FILL = """
    CREATE TEMPORARY TABLE filled AS
    SELECT n, CASE WHEN n <= %(long)s THEN %(long_id)s
        ELSE 'conv_' || lpad(to_hex((n - 1) / %(short)s), 48, '0') END AS conversation_id,
        CASE WHEN n <= %(long)s THEN n ELSE (n - 1) %% %(short)s + 1 END AS position
    FROM generate_series(1, %(items)s) n;
    INSERT INTO conversations_conversation
        (id, owner_id, created_at, metadata, item_count, last_position, last_item_at)
    SELECT conversation_id, %(owner)s, now(), '{"topic": "old"}', max(position), max(position), now()
    FROM filled GROUP BY 1;
    INSERT INTO conversations_metadatapair (conversation_id, owner_id, key, value)
    SELECT id, owner_id, 'topic', 'old' FROM conversations_conversation;
    INSERT INTO conversations_item (conversation_id, position, item_id, type, data, created_at)
    SELECT conversation_id, position, 'msg_' || lpad(to_hex(n), 48, '0'), 'message', %(data)s, now() FROM filled;
    INSERT INTO conversations_itemtext (conversation_id, position, words)
    SELECT conversation_id, position, ' where is my order ' || n || ' ' FROM filled;
"""

Times = dict[str, list[float]]  # milliseconds, by target of the append


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000, help="to be deleted")
    parser.add_argument("--every", type=float, default=0.1, help="seconds between two appends of a process")
    parser.add_argument("--seconds", type=float, default=30, help="to measure without a purge")
    arguments = parser.parse_args()
    with _database():
        owner = get_user_model()._default_manager.create(username="owner")
        _fill(arguments.items, owner.pk)
        own = [Conversation.objects.create_with_items(owner=owner).pk for _ in range(APPENDERS)]
        shared = Conversation.objects.create_with_items(owner=owner).pk
        targets = [{"own": conversation_id, "shared": shared, "deleted": LONG_ID} for conversation_id in own]
        print("| meanwhile | appends to | number | median | p99 | slowest |\n|---|---|---|---|---|---|")
        for name, work in (
            ("nothing", lambda: time.sleep(arguments.seconds)),
            ("delete_conversations", lambda: call_command("delete_conversations", query="topic:old", no_input=True)),
            ("purge_deleted_conversations", lambda: call_command("purge_deleted_conversations")),
        ):
            start = time.monotonic()
            times = _append_during(work, targets, every=arguments.every)
            for target, latencies in times.items():
                figures = (median(latencies), quantiles(latencies, n=100)[-1], max(latencies))
                print(f"| {name} | {target} | {len(latencies):,} |", " | ".join(f"{ms:.1f} ms" for ms in figures), "|")
            print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
        assert not Conversation.objects.filter(pk=LONG_ID).exists()
        assert not DeletedConversation.objects.exists()


@contextmanager
def _database() -> Iterator[None]:
    name = f"{connection.settings_dict['NAME']}_purge"
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0)
        yield
    finally:
        connection.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


def _fill(items: int, owner: Any) -> None:
    parameters = {
        "items": items,
        "long": items // 2,
        "long_id": LONG_ID,
        "short": SHORT_SIZE,
        "owner": owner,
        "data": orjson.dumps(MESSAGE).decode(),
    }
    overdue = timezone.now() - timedelta(days=100)

    def build_deleted(parts: int, size: int) -> Iterator[DeletedPart]:
        conversation = DeletedConversation.objects.create(
            conversation_id=LONG_ID, owner_id=owner, created_at=overdue, metadata={}, item_count=1, deleted_at=overdue
        )
        return (
            DeletedPart(deleted_conversation=conversation, number=number, content=os.urandom(size))
            for number in range(1, parts + 1)
        )

    DeletedPart.objects.bulk_create(build_deleted(items // 5_000, PART_BYTES), batch_size=10)
    for _ in range(items // 500):
        DeletedPart.objects.bulk_create(build_deleted(1, 2_000))
    with connection.cursor() as cursor:
        cursor.execute(FILL, parameters)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def _append_during(work: Callable[[], object], targets: list[dict[str, str]], *, every: float) -> Times:
    connection.close()  # Processes must not share a connection.
    is_over, results = FORK.Event(), FORK.Queue()
    processes = [
        FORK.Process(target=_append, args=[own_targets, every, is_over, results], daemon=True)
        for own_targets in targets
    ]
    for process in processes:
        process.start()
    try:
        work()
    finally:
        is_over.set()
    times: Times = defaultdict(list)
    for _ in processes:
        for target, latencies in results.get().items():
            times[target] += latencies
    for process in processes:
        process.join()
    return times


def _append(targets: dict[str, str], every: float, is_over: Any, results: Any) -> None:
    conversations = {name: Conversation.objects.filter(pk=pk).first() for name, pk in targets.items()}
    times: Times = defaultdict(list)
    while not is_over.is_set():
        for name, conversation in conversations.items():
            if conversation is None:
                continue
            start = time.perf_counter()
            with suppress(APIError):  # If it was deleted meanwhile, the append had to wait for that too.
                conversation.add_items(items=[MESSAGE])
            times[name].append((time.perf_counter() - start) * 1000)
            is_over.wait(every)
    connection.close()
    results.put(dict(times))


if __name__ == "__main__":
    main()
