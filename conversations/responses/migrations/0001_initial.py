import django.db.models.deletion
from django.db import migrations, models

import conversations.db.fields.cascade
import conversations.db.fields.json
import conversations.db.fields.text


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("conversations", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Turn",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("token", conversations.db.fields.text.BytewiseCharField(max_length=32, unique=True)),
                (
                    "status",
                    models.CharField(
                        choices=[("completed", "Completed"), ("incomplete", "Incomplete"), ("failed", "Failed")],
                        max_length=16,
                    ),
                ),
                ("error_code", models.CharField(blank=True, default="", max_length=64)),
                ("model", models.CharField(blank=True, default="", max_length=200)),
                ("input_tokens", models.BigIntegerField(null=True)),
                ("output_tokens", models.BigIntegerField(null=True)),
                ("last_position", models.PositiveIntegerField(default=0)),
                ("output_count", models.PositiveIntegerField(default=0)),
                ("has_upstream_ids", models.BooleanField(default=False)),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField()),
                (
                    "conversation",
                    conversations.db.fields.cascade.CascadeForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        db_index=False,
                        to="conversations.conversation",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["conversation", "last_position"], name="conversations_turn_conv"),
                    models.Index(fields=["status", "finished_at"], name="conversations_turn_status"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                (
                    "conversation",
                    conversations.db.fields.cascade.CascadeOneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        primary_key=True,
                        serialize=False,
                        to="conversations.conversation",
                    ),
                ),
                ("token", conversations.db.fields.text.BytewiseCharField(max_length=32)),
                ("request_key", conversations.db.fields.text.BytewiseCharField(blank=True, default="", max_length=32)),
                ("expires_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["token"], name="conversations_lease_token")],
            },
        ),
        migrations.CreateModel(
            name="StoredResponse",
            fields=[
                (
                    "turn",
                    conversations.db.fields.cascade.CascadeOneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        primary_key=True,
                        serialize=False,
                        to="conversations_responses.turn",
                    ),
                ),
                ("data", conversations.db.fields.json.LongJSONField(default=dict)),
                (
                    "record",
                    conversations.db.fields.cascade.CascadeForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="conversations.requestrecord",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
    ]
