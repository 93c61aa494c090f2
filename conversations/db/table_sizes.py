"""Disk space of the app's tables and their indexes."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.db import connections

Sizes = Iterator[tuple[str, str, int]]  # table, "table" or "indexes", bytes


def table_sizes(using: str) -> Sizes:
    """Yield the size of each table and of its indexes.

    MySQL and MariaDB estimate sizes. SQLite yields one size, that of the database file, with an empty table name.
    """
    models = apps.get_app_config("conversations").get_models(include_auto_created=True)
    tables = [model._meta.db_table for model in models if model._meta.managed and not model._meta.proxy]
    match connections[using].vendor:
        case "postgresql":
            yield from _postgresql(using, tables)
        case "mysql":
            yield from _mysql(using, tables)
        case "sqlite":
            yield from _sqlite(using)


def _postgresql(using: str, tables: list[str]) -> Sizes:
    connection = connections[using]
    with connection.cursor() as cursor:
        for table in tables:
            name = connection.ops.quote_name(table)
            cursor.execute("SELECT pg_table_size(%s::regclass), pg_indexes_size(%s::regclass)", [name, name])
            rows, indexes = cursor.fetchone()
            yield table, "table", rows
            yield table, "indexes", indexes


def _mysql(using: str, tables: list[str]) -> Sizes:
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT table_name, data_length, index_length FROM information_schema.tables "
            "WHERE table_schema = DATABASE() AND table_name IN %s",
            [tables],
        )
        for table, rows, indexes in cursor.fetchall():
            yield table, "table", rows
            yield table, "indexes", indexes


def _sqlite(using: str) -> Sizes:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        yield "", "table", cursor.fetchone()[0]
