"""A PostgreSQL database with a million items that clients write to and read while it is migrated.

The rows and the clients keep to the columns of the last release, as services do that still run the old code while
`migrate` runs.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from threading import Event, Thread
from typing import Any

from django.apps.registry import Apps
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from tests.waiting import wait_until

# The last migrations of the last release, or before the first one, of that release.
LAST_RELEASE = {
    "conversations": "0005_item_condition_indexes",
    "conversations_responses": "0001_initial",
    "project": "0001_initial",
}
MAX_SECONDS = 1.0
CONVERSATIONS, ITEMS_EACH = 100_000, 10
ROWS_PER_STATEMENT = 50_000
CLIENTS = 3
STEP = 7919  # a prime, so that the rounds of a client visit all conversations
# The lock modes that keep others from writing, or also from reading.
BLOCKING = ["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"]
HELD = """
    SELECT mode, relation::regclass::text, a.xact_start, extract(epoch FROM clock_timestamp())
    FROM pg_locks JOIN pg_stat_activity a USING (pid)
    WHERE pid = %s AND relation = ANY(%s) AND mode = ANY(%s)
"""
WAITING = """
    SELECT max(extract(epoch FROM clock_timestamp() - waitstart)) FROM pg_locks
    WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid))
"""
TABLES = "SELECT oid::int FROM pg_class WHERE relkind = 'r' AND relname LIKE 'conversations\\_%%'"


def new_migrations(connection: BaseDatabaseWrapper) -> list[tuple[str, str]]:
    """Return the migrations of this project that the last release does not have, in the order of their application."""
    loader = MigrationExecutor(connection).loader
    released = {node for target in LAST_RELEASE.items() for node in loader.graph.forwards_plan(target)}
    leaves = [node for app in LAST_RELEASE for node in loader.graph.leaf_nodes(app)]
    plan = dict.fromkeys(node for leaf in leaves for node in loader.graph.forwards_plan(leaf))
    return [node for node in plan if node[0] in LAST_RELEASE and node not in released]


class LiveTable:
    """A database at the last release, with a million items."""

    def __init__(self, alias: str) -> None:
        self.connection = connections[alias]
        targets = MigrationExecutor(self.connection).loader.graph.leaf_nodes()
        self._migrate([(app, LAST_RELEASE.get(app, name)) for app, name in targets])
        apps = MigrationExecutor(self.connection).loader.project_state(list(LAST_RELEASE.items())).apps
        self._columns = {
            model._meta.db_table: [field.column for field in model._meta.local_concrete_fields if not _is_serial(field)]
            for model in apps.get_app_config("conversations").get_models()
        }
        self._fill(apps)

    def migrate(self, migration: tuple[str, str]) -> None:
        self._migrate([migration])

    @contextmanager
    def under_load(self) -> Iterator[list[str]]:
        """Write, read and watch the locks during the block. The list that it yields has the faults afterwards."""
        faults: list[str] = []
        self.connection.ensure_connection()
        with self.connection.cursor() as cursor:
            cursor.execute(TABLES)
            tables = [row[0] for row in cursor.fetchall()]
        watch = LockWatch(self.connection, tables)
        clients = [Client(self.connection, self._columns, number) for number in range(CLIENTS)]
        threads = [watch, *clients]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: all(client.is_active for client in clients))
            yield faults
            written = [client.rounds for client in clients]
            wait_until(lambda: all(client.is_active_after(n) for client, n in zip(clients, written, strict=True)))
        finally:
            for thread in threads:
                thread.is_over.set()
            for thread in threads:
                thread.join()
        faults += watch.faults
        faults += sorted({error for client in clients for error in client.errors})

    def _migrate(self, targets: Sequence[tuple[str, str]]) -> None:
        MigrationExecutor(self.connection).migrate(list(targets))

    def _fill(self, apps: Apps) -> None:
        """Copy one row of each table many times. The copies differ only in the columns that have to be unique."""
        alias = self.connection.alias
        get = apps.get_model
        owner = get("auth", "User").objects.using(alias).create(username="owner")
        conversation = (
            get("conversations", "Conversation")
            .objects.using(alias)
            .create(
                id="conv_template",
                owner=owner,
                created_at=timezone.now(),
                item_count=ITEMS_EACH,
                last_position=ITEMS_EACH,
            )
        )
        item = {"conversation": conversation, "position": 0, "item_id": "msg_template", "type": "message"}
        data = {"type": "message", "id": "msg_template", "role": "user", "content": "a" * 200}
        get("conversations", "Item").objects.using(alias).create(**item, data=data, created_at=timezone.now())
        pair = {"conversation": conversation, "owner": owner, "key": "topic", "value": "demo"}
        get("conversations", "MetadataPair").objects.using(alias).create(**pair)
        number, each = "lpad(n::text, 8, '0')", f"lpad((n / {ITEMS_EACH})::text, 8, '0')"
        rows = CONVERSATIONS * ITEMS_EACH
        self._copy("conversations_conversation", CONVERSATIONS, id=f"'conv_' || {number}")
        own = {"conversation_id": f"'conv_' || {each}", "position": f"n %% {ITEMS_EACH} + 1"}
        self._copy("conversations_item", rows, item_id=f"'msg_' || {number}", **own)
        self._copy("conversations_metadatapair", CONVERSATIONS, conversation_id=f"'conv_' || {number}")

    def _copy(self, table: str, rows: int, **values: str) -> None:
        """Copy the row `rows` times, in statements that a slow machine executes within their time-out."""
        copy = f"{copy_rows(table, self._columns[table], values)}, generate_series(%s, %s) n"
        with self.connection.cursor() as cursor:
            for start in range(0, rows, ROWS_PER_STATEMENT):
                cursor.execute(copy, [start, min(start + ROWS_PER_STATEMENT, rows) - 1])


def copy_rows(table: str, columns: Sequence[str], values: dict[str, str]) -> str:
    """Return the INSERT that copies a table's first row, with other values in some columns."""
    names = ", ".join(f'"{column}"' for column in columns)
    selected = ", ".join(values.get(column, f't."{column}"') for column in columns)
    return f"INSERT INTO {table} ({names}) SELECT {selected} FROM (SELECT * FROM {table} LIMIT 1) t"


class Client(Thread):
    """A client of the old code: it appends to all conversations, creates some, and reads them."""

    def __init__(self, connection: BaseDatabaseWrapper, columns: dict[str, list[str]], number: int) -> None:
        super().__init__()
        self.is_over = Event()
        self.rounds = 0
        self.errors: list[str] = []
        self._source = connection
        self._columns = columns
        self._name = f"{number}-{time.time_ns()}"

    @property
    def is_active(self) -> bool:
        return self.rounds > 0 or bool(self.errors)

    def is_active_after(self, rounds: int) -> bool:
        """Whether a round that began after this one is over."""
        return self.rounds > rounds + 1 or bool(self.errors)

    def run(self) -> None:
        conversation, item = "conversations_conversation", "conversations_item"
        create = copy_rows(conversation, self._columns[conversation], {"id": "%s"})
        append = copy_rows(item, self._columns[item], {"item_id": "%s", "conversation_id": "%s", "position": "%s"})
        read = f"SELECT {', '.join(self._columns[item])} FROM {item} WHERE conversation_id = %s"
        move = f"UPDATE {conversation} SET item_count = item_count + 1, last_position = last_position + 1"
        connection = self._source.copy()  # It belongs to this thread.
        try:
            for number in count():
                if self.is_over.is_set():
                    break
                target = f"conv_{(number * STEP) % CONVERSATIONS:08}"
                with connection.cursor() as cursor:
                    cursor.execute("BEGIN")
                    cursor.execute(f"{move} WHERE id = %s RETURNING last_position", [target])
                    position = cursor.fetchone()[0]
                    values = {"item_id": f"msg_{self._name}-{number}", "conversation_id": target, "position": position}
                    ordered = [values[column] for column in self._columns[item] if column in values]
                    cursor.execute(append, ordered)
                    cursor.execute(create, [f"conv_{self._name}-{number}"])
                    cursor.execute(read, [target])
                    cursor.execute("COMMIT")
                self.rounds += 1
                self.is_over.wait(0.005)
        except Exception as error:
            self.errors.append(f"a client failed: {str(error).splitlines()[0]}")
        finally:
            connection.close()


class LockWatch(Thread):
    """A watch of the locks of one connection. It can see a lock for less time than it is held, but never for more."""

    def __init__(self, connection: BaseDatabaseWrapper, tables: list[int]) -> None:
        super().__init__()
        self.is_over = Event()
        self._pid = connection.connection.info.backend_pid
        self._source = connection
        self._tables = tables
        self._first_seen: dict[tuple[Any, ...], float] = {}
        self._longest: dict[str, float] = {}

    @property
    def faults(self) -> list[str]:
        return [f"{name} for {seconds:.1f} s" for name, seconds in self._longest.items() if seconds > MAX_SECONDS]

    def run(self) -> None:
        connection = self._source.copy()  # It belongs to this thread.
        with connection.cursor() as cursor:
            while not self.is_over.wait(0.02):
                cursor.execute(HELD, [self._pid, self._tables, BLOCKING])
                for mode, table, transaction, now in cursor.fetchall():
                    since = self._first_seen.setdefault((mode, table, transaction), float(now))
                    self._note(f"{mode} on {table}", float(now) - since)
                cursor.execute(WAITING, [self._pid])
                self._note("a client waited", float(cursor.fetchone()[0] or 0))
        connection.close()

    def _note(self, name: str, seconds: float) -> None:
        self._longest[name] = max(seconds, self._longest.get(name, 0))


def _is_serial(field: models.Field) -> bool:
    return isinstance(field, models.AutoField | models.BigAutoField)
