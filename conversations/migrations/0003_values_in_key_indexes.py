from django.db import migrations, models


class Migration(migrations.Migration):
    """The indexes by key hold the value too, so that a condition on it needs no look at the table."""

    dependencies = [
        ("conversations", "0002_rights_and_access_log"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="metadatapair", name="conversations_pair_key"),
        migrations.RemoveIndex(model_name="metadatapair", name="conversations_pair_owner_key"),
        migrations.AddIndex(
            model_name="metadatapair",
            index=models.Index(fields=["key", "conversation", "value"], name="conversations_pair_key"),
        ),
        migrations.AddIndex(
            model_name="metadatapair",
            index=models.Index(fields=["owner", "key", "conversation", "value"], name="conversations_pair_owner_key"),
        ),
    ]
