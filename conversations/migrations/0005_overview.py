import django.db.models.deletion
from django.db import migrations, models

import conversations.db.fields


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0004_saved_view"),
    ]

    operations = [
        migrations.CreateModel(
            name="Overview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("time_zone", models.CharField(max_length=64)),
                (
                    "last_conversation_id",
                    conversations.db.fields.BytewiseCharField(blank=True, default="", max_length=64),
                ),
                ("last_item", models.BigIntegerField(default=0)),
                ("owner_count", models.PositiveBigIntegerField(default=0)),
                ("counted_at", models.DateTimeField(null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="OverviewFigure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    conversations.db.fields.BytewiseCharField(
                        choices=[
                            ("conversations", "Conversations"),
                            ("items", "Items"),
                            ("key", "Key"),
                            ("value", "Value"),
                            ("owner", "Owner"),
                            ("size", "Size"),
                        ],
                        max_length=16,
                    ),
                ),
                ("key", conversations.db.fields.BytewiseCharField(max_length=64)),
                ("value", conversations.db.fields.BytewiseCharField(blank=True, default="", max_length=512)),
                ("count", models.BigIntegerField()),
                (
                    "overview",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="figures",
                        to="conversations.overview",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["overview", "kind", "count"], name="conversations_overview_count"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("overview", "kind", "key", "value"), name="conversations_overview_unique_figure"
                    ),
                ],
            },
        ),
    ]
