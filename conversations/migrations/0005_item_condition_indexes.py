from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Indexes that lead to the conversations with items of a type, calls of a tool, and failed items. On PostgreSQL and
# SQLite messages, items that call nothing and items that did not fail are in none of them, so that they cost nothing.
INDEXES = {
    "conversations_item_type": ("type", "type <> 'message'"),
    "conversations_item_tool": ("tool", "tool <> ''"),
    "conversations_item_status": ("status", "status <> ''"),
}


def create_indexes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    has_partial_indexes = schema_editor.connection.features.supports_partial_indexes
    for name, (column, condition) in INDEXES.items():
        where = f" WHERE {condition}" if has_partial_indexes else ""
        schema_editor.execute(f"CREATE INDEX {name} ON conversations_item ({column}, conversation_id){where}")


def drop_indexes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    table = " ON conversations_item" if schema_editor.connection.vendor == "mysql" else ""
    for name in INDEXES:
        schema_editor.execute(f"DROP INDEX {name}{table}")


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0004_activity_index"),
    ]

    operations = [
        # MySQL and MariaDB refuse these statements in a transaction. On other databases the migration is atomic.
        migrations.RunPython(create_indexes, drop_indexes, atomic=False),
    ]
