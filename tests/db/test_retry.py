"""Retry of verbs after conflicts that the database itself reports."""

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from django.db.models import F

from conversations.db import retry
from conversations.deletion import delete_conversation
from conversations.models import APIKey, Conversation, DeletedConversation, Item, MetadataPair
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash, restore

pytestmark = pytest.mark.django_db(transaction=True)

CONFLICTS = {
    "postgresql": [
        "DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40P01'; END $$",
    ],
    "mysql": ["SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213", "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1020"],
    "sqlite": ["INSERT INTO locked VALUES (1)"],
}[connection.vendor]


@pytest.fixture(autouse=True)
def short_pauses_without_end(monkeypatch):
    """Let only the number of attempts limit the retries, however slow the machine is."""
    monkeypatch.setattr(retry, "MAX_PAUSE", 0.001)
    monkeypatch.setattr(retry, "MAX_SECONDS", math.inf)


@pytest.fixture(params=CONFLICTS)
def raise_conflict(request, tmp_path) -> Iterator[Callable[[], None]]:
    """Return a function that executes a statement on which the database reports a conflict."""
    used = connection
    with ExitStack() as stack:
        if connection.vendor == "sqlite":
            path = tmp_path / "locked.sqlite3"
            holder = stack.enter_context(closing(sqlite3.connect(path)))
            holder.execute("CREATE TABLE locked (number INTEGER)")
            holder.execute("BEGIN IMMEDIATE")
            used = stack.enter_context(closing(connection.copy(alias="locked")))
            used.settings_dict.update(NAME=path, OPTIONS={"timeout": 0})

        def execute() -> None:
            with used.cursor() as cursor:
                cursor.execute(request.param)

        yield execute


def test_operation_is_retried_until_it_meets_no_conflict(raise_conflict):
    attempts = []

    @retry.retry_on_conflict
    def verb(result: str) -> str:
        attempts.append(result)
        if len(attempts) < 4:
            raise_conflict()
        return result

    assert verb("done") == "done"
    assert attempts == ["done"] * 4


def test_retrying_stops_after_a_number_of_attempts(raise_conflict):
    attempts = []

    @retry.retry_on_conflict
    def verb() -> None:
        attempts.append(1)
        raise_conflict()

    with pytest.raises(OperationalError):
        verb()
    assert len(attempts) == retry.ATTEMPTS


def test_retrying_stops_after_a_number_of_seconds(raise_conflict, monkeypatch):
    monkeypatch.setattr(retry, "MAX_SECONDS", 0)
    attempts = []

    @retry.retry_on_conflict
    def verb() -> None:
        attempts.append(1)
        started_at = time.monotonic()
        while time.monotonic() == started_at:  # The clock of some systems ticks rarely.
            pass
        raise_conflict()

    with pytest.raises(OperationalError):
        verb()
    assert attempts == [1]


def test_conflict_within_an_outer_transaction_is_not_retried(raise_conflict):
    attempts = []

    @retry.retry_on_conflict
    def verb() -> None:
        attempts.append(1)
        raise_conflict()

    with pytest.raises(OperationalError), transaction.atomic():
        verb()
    assert attempts == [1]


def test_other_errors_are_not_retried():
    attempts = []

    @retry.retry_on_conflict
    def verb() -> None:
        attempts.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT one FROM nowhere")

    with pytest.raises(Exception, match="nowhere"):
        verb()
    assert attempts == [1]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="has one writer at a time, and so no deadlocks")
def test_deadlocked_operations_both_succeed(alice):
    first, second = (Conversation.objects.create_with_items(owner=alice) for _ in range(2))
    both_have_one = threading.Barrier(2)
    errors, attempts = [], []

    def add_to_both(one: Conversation, other: Conversation) -> None:
        has_met = False

        @retry.retry_on_conflict
        def verb() -> None:
            nonlocal has_met
            attempts.append(one.pk)
            with transaction.atomic():
                Conversation.objects.filter(pk=one.pk).update(item_count=F("item_count") + 1)
                if not has_met:
                    has_met = True
                    both_have_one.wait(timeout=300)
                Conversation.objects.filter(pk=other.pk).update(item_count=F("item_count") + 1)

        try:
            verb()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=add_to_both, args=pair) for pair in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(attempts) > 2
    assert list(Conversation.objects.values_list("item_count", flat=True)) == [2, 2]


TABLES = [model._meta.db_table for model in (Conversation, Item, MetadataPair, DeletedConversation, APIKey)]


@contextmanager
def conflicts(number: int, *, at_commit: bool) -> Iterator[None]:
    """Make PostgreSQL report a conflict on this number of the next writes to TABLES, counted by a sequence."""
    kind, when = ("CONSTRAINT TRIGGER", "AFTER") if at_commit else ("TRIGGER", "BEFORE")
    deferred = "DEFERRABLE INITIALLY DEFERRED" * at_commit
    with connection.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE writes")
        cursor.execute(f"""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('writes') <= {number} THEN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END IF;
                RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
            END $$
        """)
        for table in TABLES:
            cursor.execute(f"""
                CREATE {kind} refuse {when} INSERT OR UPDATE OR DELETE ON {table} {deferred}
                FOR EACH ROW EXECUTE FUNCTION refuse()
            """)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse CASCADE")
            cursor.execute("DROP SEQUENCE writes")


@pytest.fixture
def conversation(alice) -> Conversation:
    items = validate_items([{"role": "user", "content": "Hello!"}])
    return Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=items)


def stored_rows() -> list[object]:
    return [
        *Conversation.objects.values_list("pk", "metadata", "item_count", "last_position"),
        *Item.objects.order_by("pk").values_list("conversation", "position", "data"),
        *MetadataPair.objects.order_by("key").values_list("conversation", "key", "value"),
        *DeletedConversation.objects.values_list("conversation_id", "item_count"),
        *APIKey.objects.values_list("name", "revoked_at", "last_used_at"),
    ]


def add_items(conversation: Conversation) -> None:
    items = conversation.add_items(items=validate_items([{"role": "assistant", "content": "Hi."}]))
    assert [item.position for item in items] == [2]
    assert conversation.item_count == 2


VERBS = {
    "create": lambda conversation: Conversation.objects.create_with_items(
        owner=conversation.owner, metadata={"a": "b"}, items=validate_items([{"role": "user", "content": "Again"}])
    ),
    "add items": add_items,
    "delete an item": lambda conversation: conversation.delete_item(item_id=conversation.items.get().item_id),
    "replace metadata": lambda conversation: conversation.replace_metadata(metadata={"topic": "other", "a": "b"}),
    "delete": delete_conversation,
    "trash": move_to_trash,
    "create a key": lambda conversation: APIKey.create(user=conversation.owner),
}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="triggers that count what is rolled back")
@pytest.mark.parametrize("at_commit", [False, True], ids=["at a write", "at the commit"])
class TestVerbs:
    @pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
    def test_failed_operation_leaves_no_changes_and_can_be_repeated(self, conversation, verb, at_commit):
        rows, values = stored_rows(), {**vars(conversation)}
        with conflicts(10 * retry.ATTEMPTS, at_commit=at_commit), pytest.raises(OperationalError):
            verb(conversation)
        assert stored_rows() == rows
        state = values.pop("_state")
        assert {name: value for name, value in vars(conversation).items() if name != "_state"} == values
        assert (conversation._state.db, conversation._state.adding) == (state.db, state.adding)
        with conflicts(2, at_commit=at_commit):
            verb(conversation)
        assert stored_rows() != rows

    def test_restoring_and_key_operations_are_retried_on_conflict(self, conversation, at_commit):
        before = stored_rows()
        deleted = move_to_trash(conversation)
        with conflicts(2, at_commit=at_commit):
            restore(deleted)
        assert stored_rows() == before
        key, _ = APIKey.create(user=User.objects.get())
        with conflicts(2, at_commit=at_commit):
            key.record_use()
        with conflicts(2, at_commit=at_commit):
            key.revoke()
        assert APIKey.objects.exclude(last_used_at=None).exclude(revoked_at=None).get() == key
