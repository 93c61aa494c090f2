from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# PostgreSQL waits by default until a fifth of a table is dead, or new, before it vacuums it: 20 million rows of 100
# million. A hundredth is soon enough for the room of what was purged to be used again, keeps each run short, and
# keeps the visibility map, which reads from an index alone depend on, up to date.
OFTEN = {
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 1000,
    "autovacuum_vacuum_insert_scale_factor": 0.01,
    "autovacuum_vacuum_insert_threshold": 10000,
    "autovacuum_analyze_scale_factor": 0.02,
    "autovacuum_analyze_threshold": 1000,
}
# What is written once and never changed may as well be frozen by the first vacuum that comes by, instead of all of it
# at once, 200 million transactions later.
ONCE = OFTEN | {"autovacuum_freeze_min_age": 0}
SETTINGS = {
    "conversations_item": ONCE,
    "conversations_itemtext": ONCE,
    "conversations_metadatapair": OFTEN,
    # Each append changes a row here, and no index with it, as long as the new version finds room on the page of the
    # old one (HOT). So pages are filled to nine tenths.
    "conversations_conversation": OFTEN | {"fillfactor": 90},
}


def apply(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Takes a lock that holds up neither readers nor writers."""
    if schema_editor.connection.vendor == "postgresql":
        for table, settings in SETTINGS.items():
            values = ", ".join(f"{name} = {value}" for name, value in settings.items())
            schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(table)} SET ({values})")


def reset(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for table, settings in SETTINGS.items():
            schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(table)} RESET ({', '.join(settings)})")


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0007_trash"),
    ]

    operations = [
        migrations.RunPython(apply, reset),
    ]
