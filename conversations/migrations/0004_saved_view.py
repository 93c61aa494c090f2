import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import conversations.db.fields


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("conversations", "0003_values_in_key_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", conversations.db.fields.BytewiseCharField(max_length=100, verbose_name="name")),
                (
                    "query_string",
                    models.TextField(
                        blank=True,
                        help_text="The parameters of the list's address. A place in the list is not kept.",
                        max_length=20000,
                        verbose_name="query string",
                    ),
                ),
                (
                    "is_shared",
                    models.BooleanField(
                        default=False,
                        help_text="Everyone who may see the list is offered this view.",
                        verbose_name="shared",
                    ),
                ),
                (
                    "is_default",
                    models.BooleanField(
                        default=False,
                        help_text="What you see when you open the list. You have one default at most.",
                        verbose_name="default",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="conversations_saved_views",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "saved view",
                "verbose_name_plural": "saved views",
                "permissions": [("share_savedview", "Can share saved views")],
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("owner", "name"), name="conversations_view_unique_name")
                ],
            },
        ),
    ]
