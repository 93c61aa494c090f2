import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import conversations.db.fields
import conversations.db.fields.indexes
import conversations.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="APIKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(blank=True, max_length=100, verbose_name="name")),
                ("prefix", models.CharField(editable=False, max_length=32, verbose_name="prefix")),
                ("hash", models.CharField(editable=False, max_length=64, unique=True)),
                ("can_read", models.BooleanField(default=True, verbose_name="can read")),
                ("can_write", models.BooleanField(default=True, verbose_name="can write")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
                ("last_used_at", models.DateTimeField(editable=False, null=True, verbose_name="last used at")),
                (
                    "last_used_from",
                    models.GenericIPAddressField(editable=False, null=True, verbose_name="last used from"),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="expires at")),
                ("revoked_at", models.DateTimeField(editable=False, null=True, verbose_name="revoked at")),
                (
                    "end_user_required",
                    models.BooleanField(
                        default=False,
                        help_text="Refuse requests that do not name an end user.",
                        verbose_name="end user required",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="conversations_api_keys",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
            },
        ),
        migrations.CreateModel(
            name="Conversation",
            fields=[
                (
                    "id",
                    conversations.db.fields.BytewiseCharField(
                        default=conversations.ids.new_conversation_id,
                        editable=False,
                        max_length=64,
                        primary_key=True,
                        serialize=False,
                        verbose_name="id",
                    ),
                ),
                (
                    "created_at",
                    conversations.db.fields.CreationTimeField(blank=True, editable=False, verbose_name="created at"),
                ),
                (
                    "metadata",
                    conversations.db.fields.VerbatimJSONField(blank=True, default=dict, verbose_name="metadata"),
                ),
                ("item_count", models.PositiveIntegerField(default=0, editable=False, verbose_name="items")),
                ("last_position", models.PositiveIntegerField(default=0, editable=False)),
                ("call_balance", models.BigIntegerField(db_default=0, default=0, editable=False)),
                ("last_item_at", models.DateTimeField(editable=False, null=True, verbose_name="last item at")),
                (
                    "end_user",
                    conversations.db.fields.BytewiseCharField(
                        blank=True, editable=False, max_length=256, null=True, verbose_name="end user"
                    ),
                ),
                (
                    "forked_from",
                    conversations.db.fields.BytewiseCharField(
                        blank=True, db_default="", default="", editable=False, max_length=64, verbose_name="forked from"
                    ),
                ),
                (
                    "is_held",
                    models.BooleanField(db_default=False, default=False, editable=False, verbose_name="on legal hold"),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conversations",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
            ],
            options={
                "verbose_name": "conversation",
                "verbose_name_plural": "conversations",
                "base_manager_name": "objects",
                "permissions": [
                    ("read_content", "Can read the content of conversations"),
                    ("export_conversation", "Can export conversations"),
                    ("redact_item", "Can redact items of conversations"),
                    ("hold_conversation", "Can place legal holds on conversations and release them"),
                    ("erase_person", "Can erase all that is stored about a person"),
                ],
                "indexes": [
                    models.Index(fields=["owner", "id"], name="conversations_owner_id"),
                    conversations.db.fields.indexes.NotNullIndex(
                        fields=["end_user", "owner", "id"], name="conversations_end_user"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("position", models.PositiveIntegerField(verbose_name="position")),
                ("item_id", conversations.db.fields.BytewiseCharField(max_length=64, verbose_name="item id")),
                ("type", models.CharField(max_length=64, verbose_name="type")),
                (
                    "call_id",
                    conversations.db.fields.BytewiseTextField(blank=True, default="", verbose_name="call id"),
                ),
                ("data", conversations.db.fields.LongJSONField(verbose_name="data")),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                (
                    "tool",
                    conversations.db.fields.BytewiseCharField(
                        blank=True, db_default="", default="", max_length=128, verbose_name="tool"
                    ),
                ),
                (
                    "status",
                    conversations.db.fields.BytewiseCharField(
                        blank=True, db_default="", default="", max_length=8, verbose_name="status"
                    ),
                ),
                (
                    "conversation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="conversations.conversation",
                    ),
                ),
            ],
            options={
                "verbose_name": "item",
                "verbose_name_plural": "items",
                "base_manager_name": "objects",
                "ordering": ("conversation", "position"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("conversation", "position"), name="conversations_item_unique_position"
                    ),
                    models.UniqueConstraint(
                        fields=("item_id", "conversation"), name="conversations_item_unique_item_id"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MetadataPair",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "conversation_id", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", conversations.db.fields.BytewiseCharField(max_length=64)),
                ("value", conversations.db.fields.BytewiseCharField(max_length=512)),
                (
                    "conversation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="metadata_pairs",
                        to="conversations.conversation",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["key", "value", "conversation"], name="conversations_pair_value"),
                    models.Index(
                        fields=["owner", "key", "value", "conversation"], name="conversations_pair_owner_value"
                    ),
                    models.Index(fields=["key", "conversation", "value"], name="conversations_pair_key"),
                    models.Index(fields=["owner", "key", "conversation", "value"], name="conversations_pair_owner_key"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ItemText",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("position", models.PositiveIntegerField()),
                ("words", conversations.db.fields.WordsField()),
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
        migrations.CreateModel(
            name="AccessRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("username", conversations.db.fields.BytewiseCharField(max_length=255, verbose_name="username")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="time")),
                (
                    "action",
                    conversations.db.fields.BytewiseCharField(
                        choices=[
                            ("read", "read"),
                            ("export", "export"),
                            ("search", "search"),
                            ("delete", "delete"),
                            ("restore", "restore"),
                            ("purge", "delete for good"),
                            ("metadata", "change metadata"),
                            ("key_created", "create API key"),
                            ("key_revoked", "revoke API key"),
                            ("redact", "redact item"),
                            ("hold", "place on legal hold"),
                            ("release", "release legal hold"),
                            ("retention", "apply retention rule"),
                            ("erasure", "erase person"),
                        ],
                        max_length=16,
                        verbose_name="action",
                    ),
                ),
                (
                    "conversation_id",
                    conversations.db.fields.BytewiseCharField(blank=True, max_length=64, verbose_name="conversation"),
                ),
                ("query", models.TextField(blank=True, verbose_name="filter")),
                ("conversation_count", models.PositiveIntegerField(null=True, verbose_name="results")),
                ("details", conversations.db.fields.VerbatimJSONField(null=True, verbose_name="details")),
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
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", conversations.db.fields.BytewiseCharField(max_length=100, verbose_name="name")),
                (
                    "query_string",
                    models.TextField(
                        blank=True,
                        help_text="The list's URL parameters. The current page is not saved.",
                        max_length=20000,
                        verbose_name="query string",
                    ),
                ),
                (
                    "is_shared",
                    models.BooleanField(
                        default=False,
                        help_text="Everyone with access to the list can use this view.",
                        verbose_name="shared",
                    ),
                ),
                (
                    "is_default",
                    models.BooleanField(
                        default=False,
                        help_text="The list opens with this view. You can have one default.",
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
                            ("failed", "Failed"),
                            ("tool", "Tool"),
                            ("failed_tool", "Failed Tool"),
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
        migrations.CreateModel(
            name="DeletedConversation",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "conversation_id",
                    conversations.db.fields.BytewiseCharField(max_length=64, verbose_name="conversation"),
                ),
                (
                    "end_user",
                    conversations.db.fields.BytewiseCharField(
                        blank=True, max_length=256, null=True, verbose_name="end user"
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="created at")),
                (
                    "owner_username",
                    conversations.db.fields.BytewiseCharField(max_length=255, verbose_name="owner"),
                ),
                ("metadata", conversations.db.fields.VerbatimJSONField(verbose_name="metadata")),
                ("item_count", models.PositiveIntegerField(verbose_name="items")),
                ("deleted_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="deleted at")),
                ("is_held", models.BooleanField(default=False, editable=False, verbose_name="on legal hold")),
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
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
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
                    conversations.db.fields.indexes.NotNullIndex(
                        fields=["end_user", "owner", "id"], name="conversations_deleted_end_user"
                    ),
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
        migrations.CreateModel(
            name="RequestRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", conversations.db.fields.BytewiseCharField(max_length=32)),
                ("number", models.BigIntegerField()),
                ("fingerprint", conversations.db.fields.BytewiseCharField(blank=True, max_length=32)),
                ("last_position", models.IntegerField(default=0)),
                ("item_count", models.IntegerField(default=0)),
                ("retry_count", models.IntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "conversation",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="conversations.conversation",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["conversation"], name="conversations_record_conv")],
                "constraints": [
                    models.UniqueConstraint(fields=("key", "number"), name="conversations_record_unique_key")
                ],
            },
        ),
        migrations.CreateModel(
            name="PeriodicTask",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("leased_until", models.DateTimeField(null=True)),
                ("token", models.CharField(blank=True, default="", max_length=32)),
            ],
            options={
                "default_permissions": (),
            },
        ),
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
        migrations.CreateModel(
            name="RetentionRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, unique=True, verbose_name="name")),
                (
                    "query",
                    models.TextField(
                        blank=True,
                        help_text="In the query language, as topic:demo -status:open. Empty for all conversations.",
                        verbose_name="query",
                    ),
                ),
                (
                    "days",
                    models.PositiveIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(36500),
                        ],
                        verbose_name="age in days",
                    ),
                ),
                (
                    "basis",
                    models.CharField(
                        choices=[("created", "creation"), ("active", "last activity")],
                        default="created",
                        max_length=16,
                        verbose_name="age since",
                    ),
                ),
                (
                    "is_enabled",
                    models.BooleanField(
                        default=False,
                        help_text="Try the rule first: its dry run shows what it would delete.",
                        verbose_name="enabled",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="created at"),
                ),
            ],
            options={"verbose_name": "retention rule", "verbose_name_plural": "retention rules"},
        ),
    ]
