from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Models can't express these indexes, one for each database engine: words of items, and call ids, which have no maximum
# length and are empty for most items.
# PostgreSQL: the function's cost keeps the planner from calling it for each row where it can use the index.
# SQLite: the index stores no text and follows the table through triggers, so that deletions that bypass the models,
# such as `flush`, reach it as well.
CREATE = {
    "postgresql": [
        """
        CREATE FUNCTION conversations_words(words text) RETURNS tsvector
        LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 500
        AS $$ BEGIN RETURN array_to_tsvector(string_to_array(btrim(words), ' ')); END $$
        """,
        "CREATE INDEX conversations_itemtext_words ON conversations_itemtext USING gin (conversations_words(words))",
        "CREATE INDEX conversations_item_call_id ON conversations_item USING hash (call_id) WHERE call_id <> ''",
    ],
    "sqlite": [
        """
        CREATE VIRTUAL TABLE conversations_itemtext_words USING fts5(
            words, content='conversations_itemtext', content_rowid='id', tokenize='ascii', detail=none
        )
        """,
        """
        CREATE TRIGGER conversations_itemtext_insert AFTER INSERT ON conversations_itemtext BEGIN
            INSERT INTO conversations_itemtext_words(rowid, words) VALUES (new.id, new.words);
        END
        """,
        """
        CREATE TRIGGER conversations_itemtext_delete AFTER DELETE ON conversations_itemtext BEGIN
            INSERT INTO conversations_itemtext_words(conversations_itemtext_words, rowid, words)
            VALUES ('delete', old.id, old.words);
        END
        """,
        """
        CREATE TRIGGER conversations_itemtext_update AFTER UPDATE ON conversations_itemtext BEGIN
            INSERT INTO conversations_itemtext_words(conversations_itemtext_words, rowid, words)
            VALUES ('delete', old.id, old.words);
            INSERT INTO conversations_itemtext_words(rowid, words) VALUES (new.id, new.words);
        END
        """,
        "CREATE INDEX conversations_item_call_id ON conversations_item (call_id) WHERE call_id <> ''",
    ],
    "mysql": [
        "CREATE FULLTEXT INDEX conversations_itemtext_words ON conversations_itemtext (words)",
        "CREATE INDEX conversations_item_call_id ON conversations_item (call_id(64))",
    ],
}
DROP = {
    "postgresql": [
        "DROP INDEX conversations_item_call_id",
        "DROP INDEX conversations_itemtext_words",
        "DROP FUNCTION conversations_words(text)",
    ],
    "sqlite": [
        "DROP TRIGGER conversations_itemtext_insert",
        "DROP TRIGGER conversations_itemtext_delete",
        "DROP TRIGGER conversations_itemtext_update",
        "DROP TABLE conversations_itemtext_words",
        "DROP INDEX conversations_item_call_id",
    ],
    "mysql": [
        "DROP INDEX conversations_itemtext_words ON conversations_itemtext",
        "DROP INDEX conversations_item_call_id ON conversations_item",
    ],
}


def create_index(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    execute(CREATE, schema_editor)


def drop_index(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    execute(DROP, schema_editor)


def execute(statements: dict[str, list[str]], schema_editor: BaseDatabaseSchemaEditor) -> None:
    for statement in statements.get(schema_editor.connection.vendor, []):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0001_initial"),
    ]

    operations = [
        # MySQL and MariaDB refuse this statement in a transaction. On other databases the migration itself is atomic.
        migrations.RunPython(create_index, drop_index, atomic=False),
    ]
