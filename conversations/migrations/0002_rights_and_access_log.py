import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import conversations.db.fields


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("conversations", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="conversation",
            options={
                "permissions": [
                    ("read_content", "Can read the content of conversations"),
                    ("export_conversation", "Can export conversations"),
                ],
                "verbose_name": "conversation",
                "verbose_name_plural": "conversations",
            },
        ),
        migrations.CreateModel(
            name="AccessRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("username", conversations.db.fields.BytewiseCharField(max_length=255, verbose_name="username")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="time")),
                (
                    "action",
                    conversations.db.fields.BytewiseCharField(
                        choices=[("read", "read"), ("export", "export")], max_length=16, verbose_name="action"
                    ),
                ),
                (
                    "conversation_id",
                    conversations.db.fields.BytewiseCharField(blank=True, max_length=64, verbose_name="conversation"),
                ),
                ("query", models.TextField(blank=True, verbose_name="filter")),
                ("conversation_count", models.PositiveIntegerField(null=True, verbose_name="number")),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "access log entry",
                "verbose_name_plural": "access log",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["user"], name="conversations_access_user"),
                    models.Index(fields=["username", "id"], name="conversations_access_username"),
                    models.Index(fields=["action", "id"], name="conversations_access_action"),
                    models.Index(fields=["conversation_id", "id"], name="conversations_access_conv_id"),
                ],
            },
        ),
    ]
