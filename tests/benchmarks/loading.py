"""Ten million conversations in minutes: rows first, then the indexes; by COPY where there is one."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any

import orjson
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Model

from conversations import seeding
from conversations.models import Conversation, MetadataPair

BATCH = 20_000
SEED, START = 1, date(2026, 1, 1)


def load(conversations: int) -> None:
    """Fill empty tables with what `seed_conversations --items-per 0` makes, unless they are filled."""
    if Conversation.objects.count() >= conversations:
        return
    owners: dict[str, Any] = {}
    usernames = {seeding._username(number + 1) for number in range(len(seeding.OWNER_WEIGHTS))}
    seeding._find_or_create_users(usernames, owners)
    with connection.schema_editor() as editor:
        for index in MetadataPair._meta.indexes:
            editor.remove_index(MetadataPair, index)
    drafts = seeding._drafts(conversations, 0, SEED, START)
    while batch := list(islice(drafts, BATCH)):
        for draft in batch:
            draft.conversation.owner_id = owners[seeding._username(draft.owner)]
        with transaction.atomic():
            _insert(Conversation, (_conversation_row(draft.conversation) for draft in batch))
            _insert(MetadataPair, (row for draft in batch for row in _pair_rows(draft.conversation)))
    for index in MetadataPair._meta.indexes:
        with connection.schema_editor() as editor:
            editor.add_index(MetadataPair, index)
    _drop_what_django_made_instead()
    _analyze()


def _conversation_row(conversation: Conversation) -> tuple[Any, ...]:
    metadata = orjson.dumps(conversation.metadata).decode()
    return (conversation.pk, conversation.owner_id, conversation.created_at, metadata, 0, 0, None)


def _pair_rows(conversation: Conversation) -> Iterator[tuple[Any, ...]]:
    for key, value in conversation.metadata.items():
        yield conversation.pk, conversation.owner_id, key, value


def _insert(model: type[Model], rows: Iterable[Sequence[Any]]) -> None:
    columns = [field.column for field in model._meta.local_concrete_fields]
    table, names = model._meta.db_table, ", ".join(map(connection.ops.quote_name, columns))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", list(rows))


def _drop_what_django_made_instead() -> None:
    """On MySQL, where a foreign key has to have some index while it is without its own."""
    table = MetadataPair._meta.db_table
    with connection.cursor() as cursor:
        for name, constraint in connection.introspection.get_constraints(cursor, table).items():
            if constraint["index"] and constraint["columns"] == ["owner_id"]:
                cursor.execute(f"DROP INDEX {name} ON {table}")


def _analyze() -> None:
    statements = {
        "postgresql": ["VACUUM ANALYZE"],
        "sqlite": ["ANALYZE"],
        "mysql": [f"ANALYZE TABLE {model._meta.db_table}" for model in (Conversation, MetadataPair)],
    }
    with connection.cursor() as cursor:
        for statement in statements[connection.vendor]:
            cursor.execute(statement)
            if connection.vendor == "mysql":
                cursor.fetchall()


def owner_of_rank(rank: int) -> Any:
    """The owner with most conversations is of rank 1."""
    User = get_user_model()
    return User._default_manager.get(**{User.USERNAME_FIELD: seeding._username(rank)})
