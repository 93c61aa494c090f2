"""Load ten million conversations in minutes: insert the rows, on PostgreSQL by COPY, and then create the indexes."""

from collections.abc import Iterable, Iterator
from datetime import date
from importlib import import_module
from itertools import islice
from typing import Any

import orjson
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import AutoField, JSONField, Model

from conversations.models import Conversation, Item, ItemText, MetadataPair
from tests import seed

BATCH = 20_000
TEXT_INDEX = "conversations_itemtext_words"
SEED, START = 1, date(2026, 1, 1)


def create_database(name: str) -> None:
    """Connect to the database of this name, and migrate it; create it if it does not exist."""
    connection.close()
    connection.settings_dict["NAME"] = name
    if connection.vendor != "sqlite":
        character_set = " CHARACTER SET utf8mb4" if connection.vendor == "mysql" else ""
        try:
            with connection._nodb_cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {name}{character_set}")
        except DatabaseError as error:
            if "exists" not in str(error):
                raise
    call_command("migrate", verbosity=0)


def load(conversations: int, *, items_per: float = 0) -> None:
    """Fill the tables with the rows of `python -m tests.seed --items-per …`, unless an earlier run did."""
    if Conversation.objects.count() >= conversations:
        return
    owners: dict[str, Any] = {}
    usernames = {seed.username_of_rank(number + 1) for number in range(len(seed.OWNER_WEIGHTS))}
    seed.find_or_create_users(usernames, owners)
    with connection.schema_editor() as editor:
        for index in MetadataPair._meta.indexes:
            editor.remove_index(MetadataPair, index)
    text_index = import_module("conversations.migrations.0002_full_text_index")
    is_postgresql = connection.vendor == "postgresql"
    if is_postgresql:
        _execute(_naming(TEXT_INDEX, text_index.DROP["postgresql"]))
    drafts = seed.make_drafts(conversations, items_per, SEED, START)
    while batch := list(islice(drafts, BATCH)):
        for draft in batch:
            draft.conversation.owner_id = owners[seed.username_of_rank(draft.owner)]
        with transaction.atomic():
            _insert(Conversation, (draft.conversation for draft in batch))
            _insert(MetadataPair, (pair for draft in batch for pair in _pairs(draft.conversation)))
            items = [item for draft in batch for item in draft.items]
            _insert(Item, items)
            _insert(ItemText, filter(None, map(ItemText.build, items)))
    for index in MetadataPair._meta.indexes:
        with connection.schema_editor() as editor:
            editor.add_index(MetadataPair, index)
    if is_postgresql:
        _execute(_naming(TEXT_INDEX, text_index.CREATE["postgresql"]))
    _drop_replacement_index()
    analyze()


def _naming(index: str, statements: list[str]) -> str:
    [statement] = [each for each in statements if f"INDEX {index}" in each]
    return statement


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _pairs(conversation: Conversation) -> Iterator[MetadataPair]:
    for key, value in conversation.metadata.items():
        yield MetadataPair(conversation_id=conversation.pk, owner_id=conversation.owner_id, key=key, value=value)


def _insert(model: type[Model], instances: Iterable[Model]) -> None:
    fields = [field for field in model._meta.local_concrete_fields if not isinstance(field, AutoField)]
    table, names = model._meta.db_table, ", ".join(connection.ops.quote_name(field.column) for field in fields)
    rows = ([_column_value(field, instance) for field in fields] for instance in instances)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        elif values := list(rows):
            placeholders = ", ".join(["%s"] * len(fields))
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({placeholders})", values)


def _column_value(field: Any, instance: Model) -> Any:
    value = getattr(instance, field.attname)
    if isinstance(field, JSONField):
        return orjson.dumps(value).decode()
    return field.get_db_prep_save(value, connection)


def _drop_replacement_index() -> None:
    """Drop the index that MySQL needed for the foreign key while the app's own index was missing."""
    table = MetadataPair._meta.db_table
    with connection.cursor() as cursor:
        for name, constraint in connection.introspection.get_constraints(cursor, table).items():
            if constraint["index"] and constraint["columns"] == ["owner_id"]:
                cursor.execute(f"DROP INDEX {name} ON {table}")


def analyze() -> None:
    statements = {
        "postgresql": ["VACUUM ANALYZE"],
        "sqlite": ["ANALYZE"],
        "mysql": [f"ANALYZE TABLE {model._meta.db_table}" for model in (Conversation, Item, ItemText, MetadataPair)],
    }
    with connection.cursor() as cursor:
        for statement in statements[connection.vendor]:
            cursor.execute(statement)
            if connection.vendor == "mysql":
                cursor.fetchall()


def owner_of_rank(rank: int) -> Any:
    """Return the owner of this rank; the owner with rank 1 has the most conversations."""
    User = get_user_model()
    return User._default_manager.get(**{User.USERNAME_FIELD: seed.username_of_rank(rank)})
