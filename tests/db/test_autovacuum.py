"""Storage parameters that a migration sets on PostgreSQL, and their effect on appends."""

import importlib
from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from conversations.models import Conversation, Item, ItemText, MetadataPair
from conversations.schema.items import validate_items

migration = importlib.import_module("conversations.migrations.0003_autovacuum")
BEFORE = [("conversations", "0002_full_text_index")]
TABLES = {model._meta.db_table for model in (Conversation, MetadataPair, Item, ItemText)}


def storage_parameters() -> dict[str, dict[str, float]]:
    """Return the parameters that are set, by table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL AND relkind = 'r'")
        return {
            table: {name: float(value) for name, value in (option.split("=") for option in options)}
            for table, options in cursor.fetchall()
        }


if connection.vendor == "postgresql":

    def test_every_growing_table_has_autovacuum_settings(db):
        assert storage_parameters() == migration.SETTINGS
        assert migration.SETTINGS.keys() == TABLES

    def test_appends_update_no_index_of_conversations(alice):
        items = validate_items([{"role": "user", "content": "hi"}])
        conversation = Conversation.objects.create_with_items(owner=alice, items=items)
        # The hour of the last item is indexed. It stays the same, because the time of the last item never goes back.
        tomorrow = timezone.now() + timedelta(days=1)
        Conversation.objects.filter(pk=conversation.pk).update(last_item_at=tomorrow)
        updates_before = count_updates()
        for _ in range(2):
            conversation.add_items(items=items)
        assert [after - before for before, after in zip(updates_before, count_updates(), strict=True)] == [2, 2]

    def count_updates() -> tuple[int, int]:
        """Return how often this transaction updated conversations, and how often without an index entry (HOT)."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = %s",
                [Conversation._meta.db_table],
            )
            return cursor.fetchone()


@pytest.mark.django_db(transaction=True)
def test_autovacuum_migration_can_be_reversed():
    try:
        MigrationExecutor(connection).migrate(BEFORE)
        assert connection.vendor != "postgresql" or storage_parameters() == {}
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())  # other tests need all migrations
    assert connection.vendor != "postgresql" or storage_parameters() == migration.SETTINGS
