import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import conversations.db.fields


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("conversations", "0008_autovacuum"),
    ]

    operations = [
        migrations.CreateModel(
            name="Preferences",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="conversations_preferences",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
                ("choices", conversations.db.fields.VerbatimJSONField(default=dict, verbose_name="choices")),
            ],
            options={
                "verbose_name": "preferences",
                "verbose_name_plural": "preferences",
                "default_permissions": (),
            },
        ),
    ]
