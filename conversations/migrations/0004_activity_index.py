from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Indexes by last activity and number of items, of conversations whose calls and outputs do not pair, and of held ones.
# PostgreSQL: an index on these two columns themselves would end HOT updates, because each append changes them. So the
# hour and the rounded cube root of the number are generated columns, which seldom change: the root does at 4, 16, 43,
# 92 and 167 items. Both are cheap to compute, which every write does. Models do not know them, so that no other query
# reads them.
# Few ids are later than the hour of the last activity: those of forks, and ones that other programs chose. Their index
# lets a search for conversations that were last active before a time skip all other later ids.
# MariaDB and MySQL have no partial indexes. There, a search by the number of items reads the conversations themselves.
IS_BACKDATED = """
    active_hour IS NOT NULL AND id >= 'conv_' || lpad(to_hex(least(greatest(
        date_part('epoch', active_hour AT TIME ZONE 'UTC')::bigint + 3600, 0), 4294967295)), 8, '0')
"""
CREATE = {
    "postgresql": [
        """
        ALTER TABLE conversations_conversation
            ADD COLUMN active_hour timestamptz GENERATED ALWAYS AS
                (date_bin('1 hour', last_item_at, '0001-01-01 00:00Z')) STORED,
            ADD COLUMN item_count_step integer GENERATED ALWAYS AS (cbrt(item_count)::integer) STORED
        """,
        "CREATE INDEX conversations_active ON conversations_conversation (active_hour, owner_id)",
        f"CREATE INDEX conversations_backdated ON conversations_conversation (id) WHERE {IS_BACKDATED}",
        "CREATE INDEX conversations_long ON conversations_conversation (item_count_step) WHERE item_count_step >= 3",
        "CREATE INDEX conversations_unpaired ON conversations_conversation (id) WHERE call_balance <> 0",
        "CREATE INDEX conversations_held ON conversations_conversation (id) WHERE is_held",
    ],
    "sqlite": [
        "CREATE INDEX conversations_active ON conversations_conversation (last_item_at, id)",
        "CREATE INDEX conversations_long ON conversations_conversation (item_count) WHERE item_count >= 16",
        "CREATE INDEX conversations_unpaired ON conversations_conversation (id) WHERE call_balance <> 0",
        "CREATE INDEX conversations_held ON conversations_conversation (id) WHERE is_held",
    ],
    "mysql": ["CREATE INDEX conversations_active ON conversations_conversation (last_item_at, id)"],
}
DROP = {
    "postgresql": [
        "DROP INDEX conversations_unpaired",
        "DROP INDEX conversations_held",
        "ALTER TABLE conversations_conversation DROP COLUMN active_hour, DROP COLUMN item_count_step",
    ],
    "sqlite": [
        "DROP INDEX conversations_active",
        "DROP INDEX conversations_long",
        "DROP INDEX conversations_unpaired",
        "DROP INDEX conversations_held",
    ],
    "mysql": ["DROP INDEX conversations_active ON conversations_conversation"],
}


def create_indexes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for statement in CREATE.get(schema_editor.connection.vendor, []):
        schema_editor.execute(statement)


def drop_indexes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for statement in DROP.get(schema_editor.connection.vendor, []):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0003_autovacuum"),
    ]

    operations = [
        # MySQL and MariaDB refuse these statements in a transaction. On other databases the migration is atomic.
        migrations.RunPython(create_indexes, drop_indexes, atomic=False),
    ]
