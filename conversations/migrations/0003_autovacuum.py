from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# By default PostgreSQL vacuums a table once a fifth of its rows are dead or new: 20 million of 100 million rows. At a
# hundredth, space of deleted rows is reused soon, each run is short, and the visibility map, on which index-only scans
# depend, stays up to date.
GROWING = {
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 1000,
    "autovacuum_vacuum_insert_scale_factor": 0.01,
    "autovacuum_vacuum_insert_threshold": 10000,
    "autovacuum_analyze_scale_factor": 0.02,
    "autovacuum_analyze_threshold": 1000,
}
# Rows that never change are frozen by the first vacuum, instead of all at once 200 million transactions later.
APPEND_ONLY = GROWING | {"autovacuum_freeze_min_age": 0}
SETTINGS = {
    "conversations_item": APPEND_ONLY,
    "conversations_itemtext": APPEND_ONLY,
    "conversations_metadatapair": GROWING,
    # Each append updates a row here, and no index as long as the new version fits on the same page (HOT). Pages are
    # therefore filled to nine tenths.
    "conversations_conversation": GROWING | {"fillfactor": 90},
}


def apply_settings(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Apply the storage parameters of each table. The lock blocks neither readers nor writers."""
    if schema_editor.connection.vendor == "postgresql":
        for table, settings in SETTINGS.items():
            values = ", ".join(f"{name} = {value}" for name, value in settings.items())
            schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(table)} SET ({values})")


def reset_settings(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for table, settings in SETTINGS.items():
            schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(table)} RESET ({', '.join(settings)})")


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0002_full_text_index"),
    ]

    operations = [
        migrations.RunPython(apply_settings, reset_settings),
    ]
