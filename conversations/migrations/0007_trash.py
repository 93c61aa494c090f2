import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import conversations.db.fields


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("conversations", "0006_item_text"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeletedConversation",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "conversation_id",
                    conversations.db.fields.BytewiseCharField(max_length=64, verbose_name="conversation"),
                ),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                ("metadata", conversations.db.fields.VerbatimJSONField(verbose_name="metadata")),
                ("item_count", models.PositiveIntegerField(verbose_name="items")),
                ("deleted_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="deleted at")),
                (
                    "deleted_by_username",
                    conversations.db.fields.BytewiseCharField(blank=True, max_length=255, verbose_name="deleted by"),
                ),
                (
                    "deleted_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="deleted by",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "deleted conversation",
                "verbose_name_plural": "deleted conversations",
                "default_permissions": ("view", "delete"),
                "indexes": [
                    models.Index(fields=["conversation_id"], name="conversations_deleted_conv_id"),
                    models.Index(fields=["owner", "id"], name="conversations_deleted_owner"),
                    models.Index(fields=["deleted_at"], name="conversations_deleted_at"),
                    models.Index(fields=["deleted_by"], name="conversations_deleted_by"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DeletedPart",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("number", models.PositiveIntegerField()),
                ("content", models.BinaryField()),
                (
                    "deleted_conversation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parts",
                        to="conversations.deletedconversation",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("deleted_conversation", "number"), name="conversations_deleted_part_unique_number"
                    )
                ],
            },
        ),
    ]
