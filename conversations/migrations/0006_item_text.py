import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import conversations.db.fields
import conversations.search.item_text

# What the models can't say. SQLite's index holds no text of its own and follows the table by triggers, so that it also
# sees what empties the table past the models, such as `flush`. The cost keeps PostgreSQL from taking each row apart
# where it might ask the index.
CREATE = {
    "postgresql": [
        """
        CREATE FUNCTION conversations_words(words text) RETURNS tsvector
        LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 500
        AS $$ BEGIN RETURN array_to_tsvector(string_to_array(btrim(words), ' ')); END $$
        """,
        "CREATE INDEX conversations_itemtext_words ON conversations_itemtext USING gin (conversations_words(words))",
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
    ],
    "mysql": ["CREATE FULLTEXT INDEX conversations_itemtext_words ON conversations_itemtext (words)"],
}
DROP = {
    "postgresql": ["DROP INDEX conversations_itemtext_words", "DROP FUNCTION conversations_words(text)"],
    "sqlite": [
        "DROP TRIGGER conversations_itemtext_insert",
        "DROP TRIGGER conversations_itemtext_delete",
        "DROP TRIGGER conversations_itemtext_update",
        "DROP TABLE conversations_itemtext_words",
    ],
    "mysql": ["DROP INDEX conversations_itemtext_words ON conversations_itemtext"],
}


def create(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    execute(CREATE, schema_editor)


def drop(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    execute(DROP, schema_editor)


def execute(statements: dict[str, list[str]], schema_editor: BaseDatabaseSchemaEditor) -> None:
    for statement in statements.get(schema_editor.connection.vendor, []):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0005_overview"),
    ]

    operations = [
        migrations.CreateModel(
            name="ItemText",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("position", models.PositiveIntegerField()),
                ("words", conversations.search.item_text.WordsField()),
                (
                    "conversation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="item_texts",
                        to="conversations.conversation",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("conversation", "position"), name="conversations_itemtext_unique_position"
                    )
                ],
            },
        ),
        migrations.AlterField(
            model_name="accessrecord",
            name="action",
            field=conversations.db.fields.BytewiseCharField(
                choices=[("read", "read"), ("export", "export"), ("search", "search")],
                max_length=16,
                verbose_name="action",
            ),
        ),
        migrations.RunPython(create, drop, atomic=False),  # which MySQL asks for; elsewhere the migration is atomic
    ]
